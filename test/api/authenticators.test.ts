/** Several authenticators of one user, over HTTP. */

import { env } from "cloudflare:workers";
import { base32nopad } from "@scure/base";
import { beforeEach, describe, expect, it } from "vitest";
import { createId } from "../../src/crypto/id.ts";
import { seal } from "../../src/crypto/sealed-box.ts";
import { requireConfig } from "../../src/env.ts";
import { codeFor } from "../support/authenticator.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict, loseStorage, replaceState } from "../support/guard.ts";
import vectors from "../vectors/otp.json";

const begin = Date.UTC(2030, 0, 1);
const periodMs = 30_000;
const parameterKinds = [
  { algorithm: "SHA1", digits: 6, period: 30 },
  { algorithm: "SHA256", digits: 8, period: 60 },
  { algorithm: "SHA512", digits: 7, period: 15 },
] as const;

let tenant: Tenant;
let user: User;

function setClock(at: number): void {
  tenant.clock = new Date(at).toISOString();
}

beforeEach(async () => {
  tenant = await Tenant.create();
  setClock(begin);
  user = await User.withTotp(tenant);
});

/** The code that an added authenticator shows. */
function codeOf(added: Answer["body"], at = begin): string {
  return codeFor(added.new_otp_secret, at, added);
}

async function remove(id: string): Promise<Answer> {
  return await tenant.send("DELETE", user.path(`/authenticators/${id}`));
}

async function details(action: string): Promise<unknown[]> {
  const events = await user.events();
  return events.filter((event) => event.action === action).map((event) => event.details);
}

describe("An added authenticator", () => {
  it.each(parameterKinds)(
    "shows codes that are accepted: $algorithm, $digits digits, $period s",
    async (parameters) => {
      const added = await user.addAuthenticator({ ...parameters, name: "Work phone" });
      expect(added).toMatchObject({ ...parameters, name: "Work phone", status: "active" });
      expect(added.id).toMatch(/^[0-9a-f]{24}$/);
      const { status, body } = await user.verify(codeOf(added));
      expect({ status, method: body.method }).toEqual({ status: 200, method: "totp" });
      expect((await user.verify(user.code(begin))).status).toBe(200);
      expect((await user.authenticators())[1]).toEqual({
        id: added.id,
        name: "Work phone",
        ...parameters,
        status: "active",
        created_at: tenant.clock,
        last_used_at: tenant.clock,
        drift_seconds: 0,
        is_primary: false,
      });
      const verified = await details("otp.verified");
      expect(verified).toContainEqual({ method: "totp", authenticator_id: added.id });
      expect(verified).toContainEqual({ method: "totp" });
    },
  );

  it("has its parameters in the key URI only if they differ from the defaults", async () => {
    const usual = await user.addAuthenticator();
    expect(usual.qrcode_payload).not.toMatch(/algorithm|digits|period/);
    expect(usual.new_otp_secret).toMatch(/^[A-Z2-7]{32}$/);
    const other = await user.addAuthenticator({ algorithm: "SHA512", digits: 8, period: 60 });
    expect(other.qrcode_payload).toContain("&algorithm=SHA512&digits=8&period=60");
    expect(base32nopad.decode(other.new_otp_secret)).toHaveLength(64);
    const path = `${user.path("/authenticators")}&qr=svg`;
    const labels = { issuer_name: "Acme", account_name: "alexander" };
    const { body } = await tenant.send("POST", path, { authenticator: labels });
    expect(body.authenticator.qrcode_svg).toMatch(/^<svg/);
    expect(body.authenticator.name).toBe("Authenticator 4");
  });

  it.each([
    { algorithm: "MD5" },
    { digits: 5 },
    { digits: 9 },
    { period: 14 },
    { period: 301 },
    { name: "" },
    { name: "x".repeat(65) },
    { secret: "JBSWY3DPEHPK3PXP" },
  ])("is refused with %j", async (wrong) => {
    const labels = { issuer_name: "Acme", account_name: "alexander" };
    const { status } = await tenant.send("POST", user.path("/authenticators"), {
      authenticator: { ...labels, ...wrong },
    });
    expect(status).toBe(400);
  });

  it("waits for its first code if enrolment is confirmed, several at once, each for ten minutes", async () => {
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    const [first, second] = [await user.addAuthenticator(), await user.addAuthenticator()];
    expect(first.status).toBe("pending");
    expect((await user.profile()).otp_pending).toBe(true);
    const { body } = await user.confirm(codeOf(second));
    expect(body).toMatchObject({ status: "success", enrolment_confirmed: true });
    expect(await details("otp.confirmed")).toEqual([{ authenticator_id: second.id }]);
    const statuses = async () =>
      (await user.authenticators()).map(({ id, status }) => [id, status]);
    const primary = (await user.authenticators())[0]?.id;
    expect(await statuses()).toEqual([
      [primary, "active"],
      [first.id, "pending"],
      [second.id, "active"],
    ]);
    setClock(begin + 10 * 60_000);
    expect(await statuses()).toEqual([
      [primary, "active"],
      [second.id, "active"],
    ]);
    expect((await user.verify(codeOf(first, begin + 10 * 60_000))).status).toBe(422);
  });

  it("can be renamed and removed, and then accepts no code", async () => {
    const added = await user.addAuthenticator();
    const path = user.path(`/authenticators/${added.id}`);
    const body = { authenticator: { name: "Tablet" } };
    const renamed = await tenant.send("PATCH", path, body);
    expect(renamed).toMatchObject({ status: 200, body: { authenticator: { name: "Tablet" } } });
    const [primary] = await user.authenticators();
    await tenant.send("PATCH", user.path(`/authenticators/${primary.id}`), body);
    expect((await user.authenticators()).map(({ name }) => name)).toEqual(["Tablet", "Tablet"]);
    expect((await remove(added.id)).status).toBe(204);
    expect((await user.verify(codeOf(added))).status).toBe(422);
    expect((await user.verify(user.code(begin))).status).toBe(200);
    expect(await details("authenticator.removed")).toEqual([
      { authenticator_id: added.id, is_primary: false },
    ]);
    for (const answer of [await remove(added.id), await tenant.send("PATCH", path, body)]) {
      expect(answer).toMatchObject({ status: 404, body: { code: "authenticator_not_found" } });
    }
  });
});

describe("The primary secret", () => {
  it("is listed, has an id for its life, and can be removed by it", async () => {
    const [primary] = await user.authenticators();
    expect(primary).toMatchObject({ is_primary: true, status: "active", name: "Authenticator" });
    expect(primary.created_at).toBe(tenant.clock);
    const added = await user.addAuthenticator();
    const codes = await user.backupCodes();
    await user.verify(user.code(begin));
    expect((await user.authenticators())[0]?.id).toBe(primary.id);
    await user.configure();
    const [replaced] = await user.authenticators();
    expect(replaced.id).not.toBe(primary.id);
    expect((await remove(primary.id)).status).toBe(404);
    expect((await remove(replaced.id)).status).toBe(204);
    expect(await user.profile()).toMatchObject({ has_otp: true, otp_status: "active" });
    expect((await user.verify(user.code(begin))).status).toBe(422);
    expect((await user.verify(codeOf(added))).status).toBe(200);
    expect((await user.verify(codes[0])).status).toBe(200);
    expect((await remove(added.id)).status).toBe(204);
    expect(await user.profile()).toMatchObject({ has_otp: false, backup_codes_remaining: 9 });
  });

  it.each([
    ["a build without ids", "json_remove(state, '$.totp.id')"],
    ["a build whose ids were parts of a box", "json_set(state, '$.totp.id', 'zQ_-1aB2')"],
  ])("of %s gets an id that stays, and no time of creation", async (_, older) => {
    await replaceState(user, older);
    await evict(user);
    const [primary] = await user.authenticators();
    expect(primary).toMatchObject({ created_at: null, is_primary: true });
    expect(primary.id).toMatch(/^[0-9a-f]{24}$/);
    await user.verify(user.code(begin));
    const used = { ...primary, last_used_at: tenant.clock, drift_seconds: 0 };
    expect(await user.authenticators()).toEqual([used]);
    await drainOutbox(user);
    await loseStorage(user);
    expect((await user.verify(user.code(begin))).body.code).toBe("code_already_used");
    expect((await remove(primary.id)).status).toBe(204);
  });

  it("is replaced without touching those beside it; removing TOTP removes all", async () => {
    const added = await user.addAuthenticator();
    await user.backupCodes();
    await user.configure();
    expect((await user.verify(codeOf(added))).status).toBe(200);
    expect((await tenant.send("DELETE", user.path("/otp"))).status).toBe(204);
    expect(await details("otp.removed")).toEqual([{ added_authenticators: 1 }]);
    expect(await user.authenticators()).toEqual([]);
    expect(await user.profile()).toMatchObject({ has_otp: false, backup_codes_remaining: 0 });
    expect(await user.verify(codeOf(added, begin + periodMs))).toMatchObject({
      status: 409,
      body: { code: "otp_not_configured" },
    });
  });

  it("counts among the five that a user may have", async () => {
    for (let count = 2; count <= 5; count += 1) await user.addAuthenticator();
    const labels = { issuer_name: "Acme", account_name: "alexander" };
    const addOne = async () =>
      await tenant.send("POST", user.path("/authenticators"), { authenticator: labels });
    expect(await addOne()).toMatchObject({ status: 409, body: { code: "too_many" } });
    expect((await user.configure()).status).toBe(200);
    await remove((await user.authenticators())[0]?.id);
    expect((await addOne()).status).toBe(201);
    expect(await user.configure()).toMatchObject({ status: 409, body: { code: "too_many" } });
  });
});

describe("The length of a code", () => {
  const refused = { status: 400, body: { code: "invalid_request" } };

  it("that no authenticator of the user has is answered as any text that is no code, and counts nothing", async () => {
    const codes = ["1234567", "12345678"];
    const textOf = async (code: string, of = user) => {
      const { status, body } = await of.verify(code);
      const { request_id: _, ...shown } = body;
      return JSON.stringify({ status, shown });
    };
    const noCode = await textOf("12345");
    const plain = await User.provision(tenant);
    await tenant.send("PATCH", plain.path(), { user: { status: "suspended" } });
    for (const code of codes) {
      expect(await textOf(code)).toBe(noCode);
      expect(await textOf(code, plain)).toBe(noCode);
    }
    const unknown = { otp: { id: "nobody", code: "12345678" } };
    expect(await tenant.send("POST", "/v1/idp/otp/verify", unknown)).toMatchObject(refused);
    expect((await user.profile()).failed_attempts).toBe(0);
    expect(await details("otp.verified")).toEqual([]);
  });

  it("of each authenticator is accepted, also during a lock, when nothing is evaluated", async () => {
    await tenant.setSettings({ lockout: { max_failed_attempts: 1 } });
    await user.addAuthenticator({ digits: 8 });
    expect((await user.verify("00000000")).status).toBe(422);
    expect((await user.verify("00000000")).status).toBe(423);
    expect(await user.verify("0000000")).toMatchObject(refused);
    await remove((await user.authenticators())[0]?.id);
    expect(await user.verify("000000")).toMatchObject(refused);
  });
});

describe("The clock of an authenticator", () => {
  it("is shown as drift, in whole periods: ahead above zero", async () => {
    const slow = await user.addAuthenticator({ period: 60 });
    await user.verify(user.code(begin + periodMs));
    await user.verify(codeOf(slow, begin - 60_000));
    expect((await user.authenticators()).map((one) => one.drift_seconds)).toEqual([30, -60]);
  });

  it("that is off by up to ten minutes is named in the event of the rejected code, and in no answer", async () => {
    const added = await user.addAuthenticator({ digits: 8 });
    const answers = [
      await user.verify(user.code(begin + 5 * 60_000)),
      await user.verify(codeOf(added, begin - 10 * 60_000)),
      await user.verify(user.code(begin + 11 * 60_000)),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(422);
      expect(JSON.stringify(body)).not.toContain("clock");
    }
    expect((await details("otp.verified")).toReversed()).toEqual([
      { method: "totp", failed_attempts: 1, clock_off_by_seconds: 300 },
      {
        method: "totp",
        failed_attempts: 2,
        clock_off_by_seconds: -600,
        authenticator_id: added.id,
      },
      { method: "totp", failed_attempts: 3 },
    ]);
  });

  it.each([0, 1, 2])("may be off by otp.window_steps: %i", async (steps) => {
    await tenant.setSettings({ otp: { window_steps: steps } });
    const at = begin + 10 * periodMs;
    setClock(at);
    for (const away of [-3, -2, -1, 0, 1, 2, 3]) {
      const { status } = await user.verify(user.code(at + away * periodMs));
      expect({ away, status }).toEqual({ away, status: Math.abs(away) <= steps ? 200 : 422 });
      await tenant.send("POST", user.path("/unlock"));
    }
  });
});

describe("A code", () => {
  it("is spent for its own authenticator alone, and the one accepted last is known", async () => {
    const added = await user.addAuthenticator();
    const sent = [user.code(begin), codeOf(added)];
    for (const code of sent) expect((await user.verify(code)).status).toBe(200);
    expect((await user.verify(sent[1])).body.code).toBe("code_already_used");
    expect((await user.verify(sent[0])).body.code).toBe("invalid_code");
    expect((await user.verify(user.code(begin + periodMs))).status).toBe(200);
    expect((await user.verify(codeOf(added, begin + periodMs))).status).toBe(200);
  });

  it("fails for all authenticators together, and a new one of any kind enables a disabled TOTP", async () => {
    await tenant.setSettings({ lockout: { max_failed_attempts: 1, disable_after: 1 } });
    const added = await user.addAuthenticator();
    await user.verify(user.wrongCode(begin));
    await tenant.send("POST", user.path("/unlock"));
    for (const code of [user.code(begin), codeOf(added)]) {
      expect((await user.verify(code)).body.code).toBe("otp_disabled");
    }
    const another = await user.addAuthenticator();
    expect((await user.profile()).otp_status).toBe("active");
    for (const code of [codeOf(another), user.code(begin), codeOf(added)]) {
      expect((await user.verify(code)).status).toBe(200);
    }
  });
});

it("Added authenticators survive an eviction and the loss of the guard's storage, with their spent steps", async () => {
  const added = await user.addAuthenticator({ algorithm: "SHA256", digits: 8 });
  await user.verify(codeOf(added));
  const before = await user.authenticators();
  await evict(user);
  expect(await user.authenticators()).toEqual(before);
  await drainOutbox(user);
  await loseStorage(user);
  expect(await user.authenticators()).toEqual(before);
  expect((await user.verify(codeOf(added))).body.code).toBe("code_already_used");
  expect((await user.verify(codeOf(added, begin + periodMs))).status).toBe(200);
});

it("The box of one secret does not open for another", async () => {
  const added = await user.addAuthenticator();
  const other = await user.addAuthenticator();
  const path = "'$.authenticators[0].sealed', state ->> '$.authenticators[1].sealed'";
  await replaceState(user, `json_set(state, ${path})`);
  await evict(user);
  for (const code of [codeOf(added), codeOf(other), user.code(begin)]) {
    expect((await user.verify(code)).status).toBe(503);
  }
});

it("A user with added authenticators alone has TOTP in the directory", async () => {
  const other = await User.provision(tenant);
  const listed = async (filter: string) =>
    (await tenant.send("GET", `/v1/idp/users?${filter}`)).body.users.find(
      (one: { readonly id: string }) => one.id === other.id,
    );
  expect(await listed("has_otp=true")).toBeUndefined();
  await tenant.setSettings({ otp: { enrolment: "confirm" } });
  await other.addAuthenticator();
  expect(await listed("has_otp=false")).toMatchObject({ otp_status: "pending" });
  await tenant.setSettings({ otp: { enrolment: "immediate" } });
  await other.addAuthenticator();
  expect(await listed("has_otp=true")).toMatchObject({ otp_status: "active", has_otp: true });
});

describe("RFC 6238 appendix B, with eight digits and secrets put into the guard", () => {
  const algorithms = ["SHA-1", "SHA-256", "SHA-512"] as const;

  /** Adds the three secrets of the RFC, as an import would. */
  async function addSecrets(): Promise<void> {
    const owner = { tenantId: tenant.id, identityId: user.id };
    const { sealingKeys } = requireConfig(env);
    const added = await Promise.all(
      algorithms.map(async (hash) => {
        const id = createId(begin);
        const bytes = new Uint8Array(new TextEncoder().encode(vectors.totp.secrets_ascii[hash]));
        const context = { ...owner, purpose: `totp_secret ${id}` as const };
        return {
          id,
          name: hash,
          sealed: await seal(sealingKeys, context, bytes),
          algorithm: hash.replace("-", ""),
          digits: 8,
          period: 30,
          pendingUntil: null,
          lastTimeStep: null,
          lastUsedAt: null,
        };
      }),
    );
    await replaceState(
      user,
      `json_set(state, '$.authenticators', json('${JSON.stringify(added)}'))`,
    );
    await evict(user);
  }

  // A test clock shows no time in 1970 or 2603; the tests of src/otp have these two.
  it.each(vectors.totp.codes.slice(1, -1))(
    "codes of all three hashes are accepted at $time s",
    async (row) => {
      await addSecrets();
      setClock(row.time * 1000);
      for (const hash of algorithms) {
        expect((await user.verify(row[hash])).status, hash).toBe(200);
        expect((await user.verify(row[hash])).body.code).toBe("code_already_used");
      }
    },
  );
});
