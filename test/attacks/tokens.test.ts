/** Promise 4: a revoked token is refused. The same holds for forged and mistyped tokens. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { formatApiToken } from "../../src/tenancy/api-token.ts";
import { send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { sendAtOnce, tally } from "./at-once.ts";
import { tenantLocations } from "./tenant-locations.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const start = Date.parse("2026-03-01T12:00:00Z");
const everything = ["idp:read", "idp:write", "audit:read", "tokens:write", "settings:write"];

async function createToken(tenant: Tenant, fields: object = {}) {
  const token = { name: "n", permissions: everything, ...fields };
  const { status, body } = await tenant.send("POST", "/v1/tokens", { token });
  expect(status).toBe(201);
  return body.token;
}

/** Revokes the token as another isolate does: D1 changes, and this isolate gets no notice. */
async function revokeElsewhere(id: string): Promise<void> {
  await env.DB.prepare("UPDATE api_tokens SET revoked_at = 1 WHERE id = ?").bind(id).run();
}

async function statusOf(tenant: Tenant, token: string): Promise<number> {
  return (await tenant.send("GET", "/v1/idp/users", undefined, token)).status;
}

describe.each(tenantLocations)(
  "Promise 4, for a tenant $location",
  ({ tenant: create, begin, meanwhile }) => {
    it("refuses a token within 30 s after another isolate revoked it, even while the token is in constant use", async () => {
      const tenant = await create();
      const { id, secret } = await createToken(tenant);
      await begin(tenant);
      vi.useFakeTimers({ toFake: ["Date"], now: start });
      expect(await statusOf(tenant, secret)).toBe(200);
      await revokeElsewhere(id);
      await meanwhile(tenant);
      for (let second = 5; second <= 25; second += 5) {
        vi.setSystemTime(start + second * 1_000);
        await statusOf(tenant, secret);
      }
      vi.setSystemTime(start + 30_000);
      const answer = await tenant.send("GET", "/v1/idp/users", undefined, secret);
      expect(answer.status).toBe(401);
      expect(answer.body.code).toBe("invalid_token");
      expect(answer.headers.get("WWW-Authenticate")).toBe('Bearer error="invalid_token"');
    });

    it("refuses a token at once after this isolate revoked it, also in 20 concurrent requests", async () => {
      const tenant = await create();
      const { id, secret } = await createToken(tenant);
      await begin(tenant);
      expect(await statusOf(tenant, secret)).toBe(200);
      expect((await tenant.send("DELETE", `/v1/tokens/${id}`)).status).toBe(204);
      const [answers] = await Promise.all([
        sendAtOnce(20, () => tenant.send("GET", "/v1/settings", undefined, secret)),
        meanwhile(tenant),
      ]);
      expect(tally(answers)).toEqual({ "401 invalid_token": 20 });
      expect(await statusOf(tenant, secret)).toBe(401);
    });
  },
);

describe("Promise 4", () => {
  it.each([
    [
      "creates no other token",
      "POST",
      "",
      { token: { name: "successor", permissions: everything } },
    ],
    ["rotates no token", "POST", "/:id/rotate", { token: {} }],
    ["revokes no token", "DELETE", "/:id", undefined],
  ])(
    "a token that another isolate revoked %s, even while this isolate caches it",
    async (_, method, suffix, body) => {
      const tenant = await Tenant.create();
      const { id, secret } = await createToken(tenant);
      const other = await createToken(tenant);
      expect(await statusOf(tenant, secret)).toBe(200);
      await revokeElsewhere(id);
      expect(await statusOf(tenant, secret)).toBe(200);
      const path = `/v1/tokens${suffix.replace(":id", other.id)}`;
      expect((await tenant.send(method, path, body, secret)).body.code).toBe("invalid_token");
      expect((await tenant.send("GET", "/v1/tokens")).body.tokens).toHaveLength(2);
      expect(await statusOf(tenant, other.secret)).toBe(200);
    },
  );

  it("a revoked token stays refused when D1 fails or the clock is set back", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    expect(await statusOf(tenant, secret)).toBe(200);
    await tenant.send("DELETE", `/v1/tokens/${id}`);
    vi.spyOn(console, "error").mockImplementation(() => {});
    const during = await withD1Fault("throws", async () => await statusOf(tenant, secret));
    expect(during).toBe(503);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3_600_000 });
    expect(await statusOf(tenant, secret)).toBe(401);
  });

  it("a token can revoke itself, and cannot create its successor afterwards", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    expect((await tenant.send("DELETE", `/v1/tokens/${id}`, undefined, secret)).status).toBe(204);
    const rotated = await tenant.send("POST", `/v1/tokens/${id}/rotate`, { token: {} }, secret);
    expect(rotated.status).toBe(401);
    expect((await tenant.send("POST", `/v1/tokens/${id}/rotate`, { token: {} })).status).toBe(404);
  });

  it.each([
    ["no overlap first", [0, 86_400]],
    ["no overlap last", [86_400, 0]],
  ])(
    "a token that is rotated without overlap is refused, even if a concurrent rotation gives it a day: %s",
    async (_, overlaps) => {
      const tenant = await Tenant.create();
      const { id, secret } = await createToken(tenant);
      const answers = await sendAtOnce(2, async (index) => {
        const token = { overlap_seconds: overlaps[index] };
        return await tenant.send("POST", `/v1/tokens/${id}/rotate`, { token });
      });
      // Once the token has ended, it gets no further successor.
      expect([{ 201: 2 }, { 201: 1, "404 not_found": 1 }]).toContainEqual(tally(answers));
      expect(await statusOf(tenant, secret)).toBe(401);
    },
  );
});

describe("A token", () => {
  it("contains its tenant id and 160 bits that differ each time", async () => {
    const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const tenant = await Tenant.create();
    const randomParts = new Set<string>();
    for (let n = 0; n < 5; n += 1) {
      const { secret } = await createToken(tenant);
      expect(secret).toMatch(/^idp_test_[0-9A-Za-z]{49}$/);
      const digits: string = secret.slice(9, 52);
      const value = [...digits].reduce(
        (sum, digit) => sum * 62n + BigInt(alphabet.indexOf(digit)),
        0n,
      );
      const bytes = value.toString(16).padStart(64, "0");
      expect(bytes.slice(0, 24)).toBe(tenant.id);
      randomParts.add(bytes.slice(24));
    }
    expect(randomParts.size).toBe(5);
  });

  it("is shown once: no list, event or rotation shows it again", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    const { body: rotated } = await tenant.send("POST", `/v1/tokens/${id}/rotate`, { token: {} });
    const seen = JSON.stringify([
      (await tenant.send("GET", "/v1/tokens")).body,
      (await tenant.send("GET", "/v1/audit/events?limit=100")).body,
      (await tenant.send("GET", "/v1/audit/export")).body,
    ]);
    expect(rotated.token.secret).not.toBe(secret);
    for (const token of [tenant.token, secret, rotated.token.secret]) {
      expect(seen).not.toContain(token);
      expect(seen).not.toContain(token.slice(25));
    }
  });

  it("with any changed character is refused without a read of D1", async () => {
    const tenant = await Tenant.create();
    const other = (character: string | undefined) => (character === "a" ? "b" : "a");
    const mistyped = [...tenant.token].map(
      (character, at) => tenant.token.slice(0, at) + other(character) + tenant.token.slice(at + 1),
    );
    const forms = [
      ...mistyped,
      tenant.token.slice(0, -1),
      `${tenant.token}0`,
      tenant.token.toUpperCase(),
    ];
    await withD1Fault("throws", async () => {
      const statuses = await Promise.all(forms.map((token) => statusOf(tenant, token)));
      expect(new Set(statuses)).toEqual(new Set([401]));
    });
  });

  it("of another scheme, empty, doubled or with extra text is refused", async () => {
    const { token } = await Tenant.create();
    for (const [header, code] of [
      [`Basic ${btoa(`${token}:`)}`, "invalid_token"],
      [`Token ${token}`, "invalid_token"],
      [token, "invalid_token"],
      ["Bearer", "invalid_token"],
      [`Bearer ${token} ${token}`, "invalid_token"],
      [`Bearer ${token}, Bearer ${token}`, "invalid_token"],
      [`Bearer "${token}"`, "invalid_token"],
      ["", "missing_token"],
    ]) {
      const answer = await send("GET", "/v1/idp/users", {
        headers: { Authorization: header ?? "" },
      });
      expect({ header, status: answer.status, code: answer.body.code }).toEqual({
        header,
        status: 401,
        code,
      });
    }
  });
});

describe("A client whose token is", () => {
  it.each([
    "forged with a valid checksum",
    "forged with a wrong checksum",
    "revoked",
    "lacking the permission",
    "expired",
  ])("%s can neither lock a user nor count a failure", async (kind) => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const forged = formatApiToken("test", tenant.id, crypto.getRandomValues(new Uint8Array(20)));
    const last = forged.endsWith("0") ? "1" : "0";
    const makes: Record<string, () => Promise<string>> = {
      "forged with a valid checksum": async () => forged,
      "forged with a wrong checksum": async () => forged.slice(0, -1) + last,
      revoked: async () => {
        const { id, secret } = await createToken(tenant);
        await tenant.send("DELETE", `/v1/tokens/${id}`);
        return secret;
      },
      "lacking the permission": async () =>
        await tenant.tokenWith(everything.filter((permission) => permission !== "idp:write")),
      expired: async () => {
        const soon = { expires_at: new Date(Date.now() + 3_600_000).toISOString() };
        return (await createToken(tenant, soon)).secret;
      },
    };
    const token = (await makes[kind]?.()) ?? "";
    if (kind === "expired") tenant.clock = new Date(Date.now() + 7_200_000).toISOString();
    const code = user.wrongCode(Date.now());
    const answers = await sendAtOnce(20, () => user.verify(code, token));
    const expected =
      kind === "lacking the permission" ? "403 insufficient_scope" : "401 invalid_token";
    expect(tally(answers)).toEqual({ [expected]: 20 });
    expect(await user.profile()).toMatchObject({ failed_attempts: 0, is_locked: false });
    expect((await user.events()).map(({ action }) => action)).not.toContain("otp.verified");
  });
});
