import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findContradictions } from "../../src/tenancy/contradictions.ts";
import type { KindSettingsPatch } from "../../src/tenancy/kind-settings.ts";
import { defaultPolicy } from "../../src/tenancy/policy.ts";
import {
  applyDefaults,
  mergePatch,
  policyOf,
  settingsPatchSchema,
} from "../../src/tenancy/settings.ts";

/** The defaults, spelled as in the API contract. */
const defaults = {
  lockout: {
    max_failed_attempts: 5,
    lock_seconds: 900,
    max_lock_seconds: 86_400,
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
  retention: { archive_after_days: 400, personal_days: null, assessment_days: 90 },
  export: { secrets: false },
  location: { hint: null },
} as const;

/** The dotted paths of the invalid fields; empty if the patch is valid. */
function invalidPathsOf(patch: unknown): string[] {
  const { error } = settingsPatchSchema.safeParse(patch);
  return error?.issues.map(({ path }) => path.join(".")) ?? [];
}

describe("a tenant without settings", () => {
  test("has the defaults of the contract", () => {
    expect(applyDefaults({})).toEqual(defaults);
    expect(findContradictions(applyDefaults({}))).toEqual([]);
  });

  test("has the default policy", () => {
    expect(policyOf({})).toEqual(defaultPolicy);
    expect(policyOf({}).lockout).toEqual({
      maxFailedAttempts: 5,
      lockSeconds: 900,
      maxLockSeconds: 86_400,
      disableAfter: 100,
    });
  });
});

describe("a patch", () => {
  test("changes only the fields that it contains", () => {
    expect(applyDefaults({ lockout: { lock_seconds: 60 } })).toEqual({
      ...defaults,
      lockout: { ...defaults.lockout, lock_seconds: 60 },
    });
    expect(applyDefaults({ otp: { enrolment: "confirm" }, sentinel: { deny_at: 0.9 } })).toEqual({
      ...defaults,
      otp: { ...defaults.otp, enrolment: "confirm" },
      sentinel: { ...defaults.sentinel, deny_at: 0.9 },
    });
  });

  test("changes the policy", () => {
    const policy = policyOf({
      lockout: { max_failed_attempts: 3, lock_seconds: 10, max_lock_seconds: 20, disable_after: 9 },
      otp: { enrolment: "confirm", window_steps: 2 },
      passkeys: {
        rp_id: "example.com",
        rp_name: "Example",
        origins: ["https://example.com"],
        top_origins: ["https://shop.example"],
        user_verification: "preferred",
        recent_verification_seconds: 60,
      },
      sentinel: {
        challenge_at: 0.3,
        deny_at: 0.6,
        allow: ["192.0.2.0/24"],
        deny: ["2001:db8::/32"],
        signals_off: ["vpn"],
        kinds: { phisher: { challenge_at: 0.2 }, proxy: { challenge_at: 0.4, deny_at: 0.7 } },
      },
      retention: { archive_after_days: 30, personal_days: 60, assessment_days: 7 },
      export: { secrets: true },
      location: { hint: "weur" },
    });
    expect(policy).toEqual({
      lockout: { maxFailedAttempts: 3, lockSeconds: 10, maxLockSeconds: 20, disableAfter: 9 },
      otp: { enrolment: "confirm", windowSteps: 2 },
      passkeys: {
        rpId: "example.com",
        rpName: "Example",
        origins: ["https://example.com"],
        topOrigins: ["https://shop.example"],
        userVerification: "preferred",
        recentVerificationSeconds: 60,
      },
      sentinel: {
        challengeAt: 0.3,
        denyAt: 0.6,
        allow: ["192.0.2.0/24"],
        deny: ["2001:db8::/32"],
        signalsOff: ["vpn"],
        kinds: { phisher: { challengeAt: 0.2 }, proxy: { challengeAt: 0.4, denyAt: 0.7 } },
      },
      retention: { archiveAfterDays: 30, personalDays: 60, assessmentDays: 7 },
      export: { secrets: true },
      location: { hint: "weur" },
    });
  });

  test("overrides an earlier patch field by field, and each list as a whole", () => {
    const earlier = {
      lockout: { lock_seconds: 60, disable_after: 50 },
      sentinel: { allow: ["192.0.2.1/32"], deny_at: 0.9 },
    };
    const later = {
      lockout: { lock_seconds: 30 },
      sentinel: { allow: ["198.51.100.0/24"], challenge_at: 0.4 },
    };
    expect(applyDefaults(mergePatch(earlier, later))).toEqual({
      lockout: { ...defaults.lockout, lock_seconds: 30, disable_after: 50 },
      otp: defaults.otp,
      passkeys: defaults.passkeys,
      sentinel: {
        ...defaults.sentinel,
        allow: ["198.51.100.0/24"],
        challenge_at: 0.4,
        deny_at: 0.9,
      },
      retention: defaults.retention,
      export: defaults.export,
      location: defaults.location,
    });
  });

  test("merges thresholds by kind one by one, and null removes one, or both of a kind", () => {
    const earlier = {
      sentinel: {
        kinds: { phisher: { challenge_at: 0.2, deny_at: 0.6 }, proxy: { deny_at: 0.9 } },
      },
    };
    const kindsAfter = (kinds: KindSettingsPatch) =>
      applyDefaults(mergePatch(earlier, { sentinel: { kinds } })).sentinel.kinds;
    expect(kindsAfter({})).toEqual(earlier.sentinel.kinds);
    expect(kindsAfter({ phisher: { challenge_at: 0.3 }, stuffing: { deny_at: 0.5 } })).toEqual({
      phisher: { challenge_at: 0.3, deny_at: 0.6 },
      proxy: { deny_at: 0.9 },
      stuffing: { deny_at: 0.5 },
    });
    expect(kindsAfter({ phisher: { deny_at: null }, proxy: null })).toEqual({
      phisher: { challenge_at: 0.2 },
    });
    expect(kindsAfter({ phisher: null, proxy: { deny_at: null } })).toEqual({});
  });

  test("changes nothing when it is empty", () => {
    const stored = { lockout: { lock_seconds: 60 }, sentinel: { challenge_at: 0.4 } };
    expect(applyDefaults(mergePatch(stored, {}))).toEqual(applyDefaults(stored));
    expect(applyDefaults(mergePatch({}, stored))).toEqual(applyDefaults(stored));
  });

  test("has no further effect when it is applied twice", () => {
    const patches = fc.record(
      {
        lockout: fc.record(
          {
            max_failed_attempts: fc.integer({ min: 1, max: 100 }),
            lock_seconds: fc.integer({ min: 1, max: 604_800 }),
          },
          { requiredKeys: [] },
        ),
        otp: fc.record({ enrolment: fc.constantFrom("immediate", "confirm") }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(patches, patches, (earlier, later) => {
        const both = mergePatch(earlier, later);
        expect(applyDefaults(mergePatch(both, later))).toEqual(applyDefaults(both));
        expect(applyDefaults(both).lockout.lock_seconds).toBe(
          later.lockout?.lock_seconds ?? earlier.lockout?.lock_seconds ?? 900,
        );
      }),
    );
  });
});

describe("the patch schema", () => {
  test.each([
    { lockout: { max_failed_attempts: 1 } },
    { lockout: { max_failed_attempts: 100 } },
    { lockout: { lock_seconds: 1 } },
    { lockout: { lock_seconds: 604_800 } },
    { lockout: { max_lock_seconds: 1 } },
    { lockout: { max_lock_seconds: 604_800 } },
    { lockout: { disable_after: 1 } },
    { lockout: { disable_after: 100 } },
    { otp: { enrolment: "confirm" } },
    { otp: { window_steps: 0 } },
    { otp: { window_steps: 2 } },
    { passkeys: { rp_id: "example.com", rp_name: "Bücher & mehr" } },
    { passkeys: { rp_id: "a-1.xn--bcher-kva.example" } },
    { passkeys: { rp_id: "1.2.example.xn--p1ai" } },
    { passkeys: { rp_id: "localhost", origins: ["http://localhost", "http://localhost:8787"] } },
    { passkeys: { rp_id: null, rp_name: null, origins: [] } },
    { passkeys: { origins: [`android:apk-key-hash:${"A-_0".repeat(10)}abc`] } },
    { passkeys: { origins: Array.from({ length: 20 }, (_, n) => `https://h${n}.example:8443`) } },
    { passkeys: { top_origins: ["https://shop.example"], user_verification: "preferred" } },
    { passkeys: { recent_verification_seconds: 60 } },
    { passkeys: { recent_verification_seconds: 86_400 } },
    { sentinel: { challenge_at: 0.0001, deny_at: 0.9999 } },
    { sentinel: { allow: [], deny: [] } },
    { sentinel: { signals_off: ["tor_exit", "vpn"] } },
    { sentinel: { kinds: {} } },
    { sentinel: { kinds: { phisher: { challenge_at: 0.2 }, stuffing: { deny_at: 0.9 } } } },
    { sentinel: { kinds: { phisher: null, proxy: { challenge_at: null, deny_at: null } } } },
    { retention: { assessment_days: 7 } },
    { retention: { archive_after_days: 1, personal_days: 30 } },
    { retention: { archive_after_days: 3_650, personal_days: 3_650 } },
    { retention: { personal_days: null } },
    { audit: { retention_days: 1 } },
    { audit: {} },
    { export: { secrets: true } },
    { export: {} },
    { retention: { assessment_days: 400 } },
    { location: { hint: "apac-ne" } },
    { location: { hint: null } },
    {},
    { lockout: {} },
  ])("accepts values within the ranges: %j", (patch) => {
    expect(settingsPatchSchema.parse(patch)).toEqual(patch);
  });

  test.each([
    ["lockout.max_failed_attempts", { lockout: { max_failed_attempts: 0 } }],
    ["lockout.max_failed_attempts", { lockout: { max_failed_attempts: 101 } }],
    ["lockout.max_failed_attempts", { lockout: { max_failed_attempts: 5.5 } }],
    ["lockout.max_failed_attempts", { lockout: { max_failed_attempts: "5" } }],
    ["lockout.max_failed_attempts", { lockout: { max_failed_attempts: null } }],
    ["lockout.lock_seconds", { lockout: { lock_seconds: 0 } }],
    ["lockout.lock_seconds", { lockout: { lock_seconds: -1 } }],
    ["lockout.lock_seconds", { lockout: { lock_seconds: 604_801 } }],
    ["lockout.max_lock_seconds", { lockout: { max_lock_seconds: 0 } }],
    ["lockout.max_lock_seconds", { lockout: { max_lock_seconds: 604_801 } }],
    ["lockout.disable_after", { lockout: { disable_after: 0 } }],
    ["lockout.disable_after", { lockout: { disable_after: 101 } }],
    ["lockout.disable_after", { lockout: { disable_after: Number.POSITIVE_INFINITY } }],
    ["otp.enrolment", { otp: { enrolment: "later" } }],
    ["otp.enrolment", { otp: { enrolment: "Immediate" } }],
    ["otp.window_steps", { otp: { window_steps: -1 } }],
    ["otp.window_steps", { otp: { window_steps: 3 } }],
    ["passkeys.rp_id", { passkeys: { rp_id: "Example.com" } }],
    ["passkeys.rp_id", { passkeys: { rp_id: "example.com:443" } }],
    ["passkeys.rp_id", { passkeys: { rp_id: "https://example.com" } }],
    ["passkeys.rp_id", { passkeys: { rp_id: "example.com." } }],
    ["passkeys.rp_id", { passkeys: { rp_id: "" } }],
    ["passkeys.rp_id", { passkeys: { rp_id: "127.0.0.1" } }],
    ["passkeys.rp_id", { passkeys: { rp_id: "2130706433" } }],
    ["passkeys.rp_name", { passkeys: { rp_name: "" } }],
    ["passkeys.origins.0", { passkeys: { origins: ["http://example.com"] } }],
    ["passkeys.origins.0", { passkeys: { origins: ["https://example.com/"] } }],
    ["passkeys.origins.0", { passkeys: { origins: ["https://*.example.com"] } }],
    ["passkeys.origins.1", { passkeys: { origins: ["https://a.b", "https://A.b"] } }],
    ["passkeys.origins.0", { passkeys: { origins: ["android:apk-key-hash:short"] } }],
    ["passkeys.origins.0", { passkeys: { origins: ["null"] } }],
    ["passkeys.origins", { passkeys: { origins: Array(21).fill("https://a.b") } }],
    [
      "passkeys.top_origins.0",
      { passkeys: { top_origins: [`android:apk-key-hash:${"A".repeat(43)}`] } },
    ],
    ["passkeys.user_verification", { passkeys: { user_verification: "discouraged" } }],
    ["passkeys.recent_verification_seconds", { passkeys: { recent_verification_seconds: 59 } }],
    ["passkeys.recent_verification_seconds", { passkeys: { recent_verification_seconds: 86_401 } }],
    ["sentinel.challenge_at", { sentinel: { challenge_at: 0 } }],
    ["sentinel.challenge_at", { sentinel: { challenge_at: 1 } }],
    ["sentinel.deny_at", { sentinel: { deny_at: -0.1 } }],
    ["sentinel.deny_at", { sentinel: { deny_at: 1.5 } }],
    ["sentinel.deny_at", { sentinel: { deny_at: Number.NaN } }],
    ["sentinel.kinds", { sentinel: { kinds: null } }],
    ["sentinel.kinds", { sentinel: { kinds: { real: { deny_at: 0.5 } } } }],
    ["sentinel.kinds", { sentinel: { kinds: { burglar: { deny_at: 0.5 } } } }],
    ["sentinel.kinds.phisher", { sentinel: { kinds: { phisher: 0.2 } } }],
    ["sentinel.kinds.phisher", { sentinel: { kinds: { phisher: { allow_at: 0.2 } } } }],
    [
      "sentinel.kinds.phisher.challenge_at",
      { sentinel: { kinds: { phisher: { challenge_at: 0 } } } },
    ],
    ["sentinel.kinds.phisher.deny_at", { sentinel: { kinds: { phisher: { deny_at: 1 } } } }],
    ["sentinel.signals_off.0", { sentinel: { signals_off: ["astrology"] } }],
    ["sentinel.signals_off.1", { sentinel: { signals_off: ["vpn", "VPN"] } }],
    ["sentinel.signals_off", { sentinel: { signals_off: "vpn" } }],
    ["sentinel.allow", { sentinel: { allow: "192.0.2.0/24" } }],
    ["retention.assessment_days", { retention: { assessment_days: 6 } }],
    ["export.secrets", { export: { secrets: "yes" } }],
    ["retention.assessment_days", { retention: { assessment_days: 401 } }],
    ["retention.archive_after_days", { retention: { archive_after_days: 0 } }],
    ["retention.archive_after_days", { retention: { archive_after_days: 3_651 } }],
    ["retention.archive_after_days", { retention: { archive_after_days: null } }],
    ["audit.retention_days", { audit: { retention_days: 0 } }],
    ["retention.personal_days", { retention: { personal_days: 29 } }],
    ["retention.personal_days", { retention: { personal_days: 3_651 } }],
    ["retention.personal_days", { retention: { personal_days: 30.5 } }],
    ["location.hint", { location: { hint: "mars" } }],
    ["location.hint", { location: { hint: "WEUR" } }],
    ["location.hint", { location: { hint: ["weur"] } }],
    ["sentinel.allow", { sentinel: { allow: Array(501).fill("192.0.2.1") } }],
  ])("reports %s as invalid: %j", (path, patch) => {
    expect(invalidPathsOf(patch)).toEqual([path]);
  });

  test.each([
    ["", { tenant_id: "x" }],
    ["lockout", { lockout: { locked: false } }],
    ["otp", { otp: { digits: 8 } }],
    ["sentinel", { sentinel: { model: "mine" } }],
    ["location", { location: { jurisdiction: "eu" } }],
    ["", JSON.parse('{"__proto__":{"lockout":{}}}')],
  ])("rejects an unknown field in %j: %j", (path, patch) => {
    expect(invalidPathsOf(patch)).toEqual([path]);
  });

  test("normalises networks", () => {
    const patch = {
      sentinel: {
        allow: ["192.0.2.17/24", "192.0.2.1", "::ffff:198.51.100.7", "2001:DB8:0:0:0:0:0:1"],
        deny: ["2001:db8:ffff::1/32", "0.0.0.0/0"],
      },
    };
    expect(settingsPatchSchema.parse(patch)).toEqual({
      sentinel: {
        allow: ["192.0.2.0/24", "192.0.2.1/32", "198.51.100.7/32", "2001:db8::1/128"],
        deny: ["2001:db8::/32", "0.0.0.0/0"],
      },
    });
  });

  test.each([
    "",
    "example.com",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.1/33",
    "192.0.2.01",
    "192.0.2.0/-1",
    "192.0.2.0/",
    "192.0.2.0/24/24",
    " 192.0.2.0/24",
    "2001:db8::/129",
    "fe80::1%eth0",
    "0x7f.0.0.1",
  ])("rejects %j as a network", (text) => {
    expect(invalidPathsOf({ sentinel: { allow: ["192.0.2.1", text] } })).toEqual([
      "sentinel.allow.1",
    ]);
    expect(invalidPathsOf({ sentinel: { deny: [text] } })).toEqual(["sentinel.deny.0"]);
  });

  test("does not change its own output, which the store parses again", () => {
    const once = settingsPatchSchema.parse({
      sentinel: { allow: ["192.0.2.17/24", "2001:DB8::1"], signals_off: ["proxy"] },
    });
    expect(settingsPatchSchema.parse(once)).toEqual(once);
    expect(applyDefaults(once).sentinel.allow).toEqual(["192.0.2.0/24", "2001:db8::1/128"]);
  });
});

describe("The search for contradictions", () => {
  test.each([
    [
      "a longest lock that is shorter than the first lock",
      { lockout: { max_lock_seconds: 899 } },
      "max_lock_seconds",
    ],
    [
      "a first lock that is longer than the longest lock",
      { lockout: { lock_seconds: 86_401 } },
      "max_lock_seconds",
    ],
    [
      "TOTP that is disabled before the user is locked",
      { lockout: { disable_after: 4 } },
      "disable_after",
    ],
  ])("reports %s", (_, patch, field) => {
    const found = findContradictions(applyDefaults(patch));
    expect(found.map(({ path }) => path)).toEqual([`lockout.${field}`]);
  });

  test.each([{ sentinel: { deny_at: 0.4999 } }, { sentinel: { challenge_at: 0.8001 } }])(
    "reports a deny threshold below the challenge threshold: %j",
    (patch) => {
      const found = findContradictions(applyDefaults(patch));
      expect(found).toEqual([
        { path: "sentinel.deny_at", message: "must not be less than challenge_at" },
      ]);
    },
  );

  test("reports thresholds by kind of which the one to deny is below the one to challenge", () => {
    const kinds = { phisher: { challenge_at: 0.6, deny_at: 0.5 }, proxy: { deny_at: 0.1 } };
    expect(findContradictions(applyDefaults({ sentinel: { kinds } }))).toEqual([
      { path: "sentinel.kinds.phisher.deny_at", message: "must not be less than challenge_at" },
    ]);
  });

  test("reports all contradictions together", () => {
    const found = findContradictions(
      applyDefaults({
        lockout: { lock_seconds: 2, max_lock_seconds: 1, max_failed_attempts: 2, disable_after: 1 },
        sentinel: { challenge_at: 0.2, deny_at: 0.1 },
      }),
    );
    expect(found.map(({ path }) => path)).toEqual([
      "lockout.max_lock_seconds",
      "lockout.disable_after",
      "sentinel.deny_at",
    ]);
  });

  test("reports nothing when the two values are equal", () => {
    const equal = applyDefaults({
      lockout: { lock_seconds: 60, max_lock_seconds: 60, max_failed_attempts: 7, disable_after: 7 },
      sentinel: { challenge_at: 0.7, deny_at: 0.7 },
    });
    expect(findContradictions(equal)).toEqual([]);
  });
});
