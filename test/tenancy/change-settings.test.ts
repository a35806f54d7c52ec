import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";

const defaults = {
  lockout: {
    max_failed_attempts: 5,
    lock_seconds: 900,
    max_lock_seconds: 86400,
    disable_after: 100,
  },
  otp: { enrolment: "immediate", window_steps: 1 },
  passkeys: {
    rp_id: null,
    rp_name: null,
    origins: [],
    top_origins: [],
    user_verification: "required",
    recent_verification_seconds: 600,
  },
  sentinel: { challenge_at: 0.5, deny_at: 0.8, allow: [], deny: [], signals_off: [], kinds: {} },
  audit: { retention_days: 400 },
  retention: { archive_after_days: 400, personal_days: null, assessment_days: 90 },
  export: { secrets: false },
  location: { hint: null },
};

describe("Settings", () => {
  it("start with the contract's defaults", async () => {
    const tenant = await Tenant.create();
    const { body } = await tenant.send("GET", "/v1/settings");
    expect(body).toEqual({ tenant_id: tenant.id, settings: defaults });
  });

  it("change field by field and take effect at once", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const { status, body } = await tenant.send("PATCH", "/v1/settings", {
      settings: { lockout: { max_failed_attempts: 2, lock_seconds: 60 } },
    });
    expect(status).toBe(200);
    expect(body.tenant_id).toBe(tenant.id);
    expect(body.settings).toEqual({
      ...defaults,
      lockout: { ...defaults.lockout, max_failed_attempts: 2, lock_seconds: 60 },
    });
    await tenant.setSettings({ sentinel: { deny: ["10.1.2.3/8", "::FFFF:1.2.3.4"] } });
    const later = (await tenant.send("GET", "/v1/settings")).body.settings;
    expect(later.lockout.max_failed_attempts).toBe(2);
    expect(later.sentinel.deny).toEqual(["10.0.0.0/8", "1.2.3.4/32"]);
    const wrong = user.wrongCode(Date.now());
    expect((await user.verify(wrong)).body.attempts_remaining).toBe(1);
    expect((await user.verify(wrong)).body.attempts_remaining).toBe(0);
    expect((await user.verify(wrong)).body.retry_after_seconds).toBeLessThanOrEqual(60);
  });

  it("of thresholds by kind are merged and removed one by one, and the events name each", async () => {
    const tenant = await Tenant.create();
    const setKinds = async (kinds: object) => {
      const settings = { sentinel: { kinds } };
      const { body } = await tenant.send("PATCH", "/v1/settings", { settings });
      const read = (await tenant.send("GET", "/v1/settings")).body.settings.sentinel.kinds;
      expect(read).toEqual(body.settings.sentinel.kinds);
      return read;
    };
    expect(await setKinds({ phisher: { challenge_at: 0.2, deny_at: 0.6 } })).toEqual({
      phisher: { challenge_at: 0.2, deny_at: 0.6 },
    });
    expect(await setKinds({ phisher: { deny_at: null }, proxy: { deny_at: 0.9 } })).toEqual({
      phisher: { challenge_at: 0.2 },
      proxy: { deny_at: 0.9 },
    });
    expect(await setKinds({ phisher: null, proxy: null })).toEqual({});
    const { body } = await tenant.send("GET", "/v1/audit/events?action=settings.changed");
    expect(body.events[0].details).toEqual({
      changed: "sentinel.kinds.proxy.deny_at sentinel.kinds.phisher.challenge_at",
      "sentinel.kinds.phisher.challenge_at.old": 0.2,
      "sentinel.kinds.phisher.challenge_at.new": null,
      "sentinel.kinds.proxy.deny_at.old": 0.9,
      "sentinel.kinds.proxy.deny_at.new": null,
    });
  });

  it("do not change when a patch has values out of range or contradictions", async () => {
    const tenant = await Tenant.create();
    for (const settings of [
      { lockout: { max_failed_attempts: 0 } },
      { lockout: { disable_after: 101 } },
      { lockout: { lock_seconds: 1.5 } },
      { lockout: { lock_seconds: 86401 } },
      { lockout: { disable_after: 4 } },
      { sentinel: { deny_at: 0.4 } },
      { sentinel: { challenge_at: 1 } },
      { sentinel: { allow: ["not a network"] } },
      { sentinel: { signals_off: ["everything"] } },
      { otp: { enrolment: "later" } },
      { location: { hint: "mars" } },
      { passkeys: { rp_id: "example.com" } },
      { passkeys: { rp_id: "example.com", origins: [] } },
      { passkeys: { rp_id: "EXAMPLE.com", origins: ["https://example.com"] } },
      { location: { hint: "" } },
      { location: { jurisdiction: "eu" } },
      { lockout: null },
    ]) {
      const { status, body } = await tenant.send("PATCH", "/v1/settings", { settings });
      expect(status).toBe(400);
      expect(body.issues[0].path).toMatch(/^settings\./);
    }
    expect((await tenant.send("GET", "/v1/settings")).body.settings).toEqual(defaults);
  });

  it("of passkeys allow localhost in test tenants alone", async () => {
    const passkeys = {
      rp_id: "localhost",
      origins: ["https://example.com", "http://localhost:8787"],
      top_origins: ["http://localhost"],
    };
    const live = await Tenant.create("live");
    const { status, body } = await live.send("PATCH", "/v1/settings", { settings: { passkeys } });
    expect(status).toBe(400);
    const message = "is for test tenants only";
    expect(body.issues).toEqual([
      { path: "settings.passkeys.rp_id", message },
      { path: "settings.passkeys.origins.1", message },
      { path: "settings.passkeys.top_origins.0", message },
    ]);
    const test = await Tenant.create("test");
    await test.setSettings({ passkeys });
    // Passkeys stay set up: an origin is necessary as long as there is a relying party.
    const emptied = await test.send("PATCH", "/v1/settings", {
      settings: { passkeys: { origins: [] } },
    });
    expect(emptied.body.issues[0].path).toBe("settings.passkeys.origins");
    await test.setSettings({ passkeys: { rp_id: null, origins: [] } });
    const { settings } = (await test.send("GET", "/v1/settings")).body;
    expect(settings.passkeys).toMatchObject({ rp_id: null, origins: [] });
  });

  it("keep both of two concurrent changes", async () => {
    const tenant = await Tenant.create();
    await Promise.all([
      tenant.setSettings({ lockout: { lock_seconds: 60 } }),
      tenant.setSettings({ otp: { enrolment: "confirm" } }),
    ]);
    const { settings } = (await tenant.send("GET", "/v1/settings")).body;
    expect(settings.lockout.lock_seconds).toBe(60);
    expect(settings.otp.enrolment).toBe("confirm");
  });
});
