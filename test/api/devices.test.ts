/** Known devices over the API. test/attacks/devices.test.ts has the attacks. */
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { listDevices, rememberDevice, setClock, verifyWith } from "../support/devices.ts";
import { evict, loseStorage } from "../support/guard.ts";
import { createLoginBody, givePasskey, logIn } from "../support/passkeys.ts";

const start = Date.parse("2026-03-01T12:00:00Z");
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

function timeAfter(ms: number): string {
  return new Date(start + ms).toISOString();
}

async function createUser(): Promise<User> {
  const tenant = await Tenant.create();
  setClock(tenant, start);
  return await User.withTotp(tenant);
}

describe("A known device", () => {
  it("is remembered with a code, known afterwards, listed, and removed", async () => {
    const user = await createUser();
    const name = "Chrome on Windows";
    const device = await rememberDevice(user, start, { remember_device: { days: 30, name } });
    expect(device).toEqual({
      status: "new",
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      token: expect.stringMatching(/^dvc_[\w-]{27}$/),
      expires_at: timeAfter(30 * dayMs),
      last_verified_at: timeAfter(0),
    });
    const { id, token } = device;
    const later = start + minuteMs;
    setClock(user.tenant, later);
    const verified = await verifyWith(user, user.code(later), { device_token: token });
    const known = {
      status: "known",
      id,
      expires_at: timeAfter(30 * dayMs),
      last_verified_at: timeAfter(minuteMs),
    };
    expect(verified.body.device).toEqual(known);
    expect(verified.headers.get("Cache-Control")).toBe("no-store");
    expect((await user.discover({ device_token: token })).body.device).toEqual(known);
    expect(await listDevices(user)).toEqual([
      {
        id,
        name,
        created_at: timeAfter(0),
        last_used_at: timeAfter(minuteMs),
        expires_at: timeAfter(30 * dayMs),
      },
    ]);
    const path = user.path(`/devices/${id}`);
    expect((await user.tenant.send("DELETE", path)).status).toBe(204);
    expect(await user.tenant.send("DELETE", path)).toMatchObject({
      status: 404,
      body: { code: "device_not_found" },
    });
    expect(await listDevices(user)).toEqual([]);
    expect((await user.discover({ device_token: token })).body.device).toEqual({
      status: "unknown",
    });
    await drainOutbox(user);
    expect((await readTrail(user.tenant)).filter((event) => event.startsWith("device"))).toEqual([
      "device.remembered success",
      "device.removed success requested",
      "device.removed refused device_not_found",
    ]);
    const events = await user.events();
    const detailsOf = (action: string) =>
      events.filter((event) => event.action === action).map(({ details }) => details);
    expect(detailsOf("otp.verified")).toEqual([
      { method: "totp", device_id: id },
      { method: "totp" },
    ]);
    expect(detailsOf("device.remembered")).toEqual([
      { device_id: id, expires_at: timeAfter(30 * dayMs) },
    ]);
  });

  it("is missed only if the user has one: otherwise an answer says nothing of devices", async () => {
    const user = await createUser();
    expect((await user.verify(user.code(start))).body).not.toHaveProperty("device");
    expect((await user.discover()).body).not.toHaveProperty("device");
    await rememberDevice(user, start + minuteMs);
    const later = start + 2 * minuteMs;
    setClock(user.tenant, later);
    expect((await user.verify(user.code(later))).body.device).toEqual({ status: "none" });
    expect((await user.discover()).body).toMatchObject({
      device: { status: "none" },
      reasons: [{ signal: "no_known_device" }],
    });
  });

  it("is remembered with a passkey, and forgotten with it", async () => {
    const user = await User.provision(await Tenant.create());
    const { authenticator, passkeyId } = await givePasskey(user);
    const { passkey } = await createLoginBody(user, authenticator);
    const first = await user.tenant.send("POST", "/v1/idp/passkeys/verify", {
      passkey: { ...passkey, remember_device: { days: 400 } },
    });
    const { id, token } = first.body.device;
    expect(first.body.device.status).toBe("new");
    const again = (await createLoginBody(user, authenticator)).passkey;
    const second = await user.tenant.send("POST", "/v1/idp/passkeys/verify", {
      passkey: { ...again, device_token: token },
    });
    expect(second.body.device).toMatchObject({ status: "known", id });
    expect((await logIn(user.tenant, authenticator, user)).body.device).toEqual({ status: "none" });
    await user.tenant.send("DELETE", user.path(`/passkeys/${passkeyId}`));
    expect(await listDevices(user)).toEqual([]);
  });

  it("that is remembered again keeps its token, and gets the new time and name", async () => {
    const user = await createUser();
    const { id, token } = await rememberDevice(user, start);
    const remember = { remember_device: { days: 7, name: "Laptop" }, device_token: token };
    const renewed = await rememberDevice(user, start + minuteMs, remember);
    expect(renewed).toEqual({
      status: "known",
      id,
      expires_at: timeAfter(7 * dayMs + minuteMs),
      last_verified_at: timeAfter(minuteMs),
    });
    expect(await listDevices(user)).toMatchObject([{ id, name: "Laptop" }]);
  });

  it("is forgotten at its end", async () => {
    const user = await createUser();
    const { token } = await rememberDevice(user, start, { remember_device: { days: 1 } });
    const statusAt = async (time: number) => {
      setClock(user.tenant, time);
      return (await user.discover({ device_token: token })).body.device.status;
    };
    expect(await statusAt(start + dayMs - 1)).toBe("known");
    expect(await statusAt(start + dayMs)).toBe("unknown");
    expect(await listDevices(user)).toEqual([]);
  });

  it("is unknown to another user, to another tenant, and as any other text", async () => {
    const user = await createUser();
    const { token } = await rememberDevice(user, start);
    const neighbour = await User.withTotp(user.tenant);
    const foreigner = await createUser();
    for (const other of [neighbour, foreigner]) {
      const fields = { device_token: token };
      expect((await verifyWith(other, other.code(start), fields)).body.device).toEqual({
        status: "unknown",
      });
    }
    for (const text of ["", "dvc_", token.toLowerCase(), `${token} `, "\ud83d", "x".repeat(4096)]) {
      expect((await user.discover({ device_token: text })).body.device).toEqual({
        status: "unknown",
      });
    }
  });

  it("may be named in the context of a verification; sent twice, the tokens must agree", async () => {
    const user = await createUser();
    const { token } = await rememberDevice(user, start);
    const later = start + minuteMs;
    setClock(user.tenant, later);
    const context = { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0", device_token: token };
    const differing = await verifyWith(user, user.code(later), { context, device_token: "other" });
    expect(differing).toMatchObject({
      status: 400,
      body: { issues: [{ path: "otp.device_token" }] },
    });
    const same = await verifyWith(user, user.code(later), { context, device_token: token });
    expect(same.body.device.status).toBe("known");
  });

  it("has its token in the replayed answer of a request with an Idempotency-Key", async () => {
    const user = await createUser();
    user.tenant.requestKey = "remember-once";
    const first = await verifyWith(user, user.code(start), { remember_device: { days: 30 } });
    const again = await verifyWith(user, user.code(start), { remember_device: { days: 30 } });
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(again.body).toEqual(first.body);
    user.tenant.requestKey = undefined;
    expect(await listDevices(user)).toHaveLength(1);
  });

  it("is one of at most 20: the oldest makes room", async () => {
    const user = await createUser();
    const devices = [];
    for (let index = 0; index < 21; index += 1) {
      devices.push(await rememberDevice(user, start + index * minuteMs));
    }
    const ids = devices.map(({ id }) => id);
    expect((await listDevices(user)).map(({ id }) => id)).toEqual(ids.slice(1));
    await drainOutbox(user);
    expect(await readTrail(user.tenant)).toContain("device.removed success limit");
  });

  it.each<[string, (user: User, assessmentId: string) => Promise<unknown>]>([
    ["all are removed", async (user) => await user.tenant.send("DELETE", user.path("/devices"))],
    ["TOTP is configured again", async (user) => await user.configure()],
    ["an authenticator is added", async (user) => await user.addAuthenticator()],
    [
      "an authenticator is removed",
      async (user) => {
        const [primary] = await user.authenticators();
        await user.tenant.send("DELETE", user.path(`/authenticators/${primary.id}`));
      },
    ],
    ["TOTP is removed", async (user) => await user.tenant.send("DELETE", user.path("/otp"))],
    [
      "the user is suspended",
      async (user) => {
        for (const status of ["suspended", "active"]) {
          await user.tenant.send("PATCH", user.path(), { user: { status } });
        }
      },
    ],
    [
      "the session in which it was remembered is reported as fraud",
      async (user, assessmentId) => await user.sendFeedback(assessmentId, "fraud"),
    ],
    [
      "the user is erased",
      async (user) => {
        await user.tenant.send("DELETE", user.path());
        await User.provision(user.tenant, user.externalId);
      },
    ],
  ])("is unknown once %s", async (_, act) => {
    const user = await createUser();
    const { assessment_id } = await user.assess();
    const { token } = await rememberDevice(user, start, { assessment_id });
    expect(await listDevices(user)).toHaveLength(1);
    await act(user, assessment_id);
    expect(await listDevices(user)).toEqual([]);
    expect((await user.discover({ device_token: token })).body.device?.status).toBe("unknown");
  });

  it("is removed when a session that came from it is reported as fraud, and no other", async () => {
    const user = await createUser();
    const [kept, stolen] = [
      await rememberDevice(user, start),
      await rememberDevice(user, start + minuteMs),
    ];
    const { assessment_id } = await user.assess({ device_token: stolen.token });
    await drainOutbox(user);
    // The session is read from D1.
    await loseStorage(user);
    await user.sendFeedback(assessment_id, "fraud");
    expect((await listDevices(user)).map(({ id }) => id)).toEqual([kept.id]);
  });

  it("is removed with a session in which it was used, also if the assessment did not know it", async () => {
    const user = await createUser();
    const { token } = await rememberDevice(user, start);
    const { assessment_id } = await user.assess();
    const later = start + minuteMs;
    setClock(user.tenant, later);
    await verifyWith(user, user.code(later), { device_token: token, assessment_id });
    await evict(user);
    await user.sendFeedback(assessment_id, "fraud");
    expect(await listDevices(user)).toEqual([]);
  });

  it("is not remembered in a session that was reported as fraud", async () => {
    const user = await createUser();
    const { assessment_id } = await user.assess();
    await user.sendFeedback(assessment_id, "fraud");
    const fields = { remember_device: { days: 30 }, assessment_id };
    expect((await verifyWith(user, user.code(start), fields)).body.device).toEqual({
      status: "none",
    });
  });

  it("stays through an enrolment that waits, and is removed by its confirmation", async () => {
    const user = await createUser();
    const { token } = await rememberDevice(user, start);
    await user.tenant.setSettings({ otp: { enrolment: "confirm" } });
    await user.configure();
    expect(await listDevices(user)).toHaveLength(1);
    const fields = { purpose: "confirm", device_token: token, remember_device: { days: 30 } };
    const confirmed = await verifyWith(user, user.code(start), fields);
    expect(confirmed.body).toMatchObject({ enrolment_confirmed: true, device: { status: "new" } });
    expect((await listDevices(user)).map(({ id }) => id)).toEqual([confirmed.body.device.id]);
  });

  it("is carried by the record in D1", async () => {
    const user = await createUser();
    const { id, token } = await rememberDevice(user, start);
    const [listed] = await listDevices(user);
    await drainOutbox(user);
    await loseStorage(user);
    expect(await listDevices(user)).toEqual([listed]);
    expect((await user.discover({ device_token: token })).body.device).toMatchObject({
      status: "known",
      id,
      last_verified_at: timeAfter(0),
    });
  });
});
