import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deleteExpired } from "../../src/housekeeping.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { guardOf } from "../support/guard.ts";

function post(tenant: Tenant, path: string, key: string, body?: object): Promise<Answer> {
  return send("POST", path, {
    token: tenant.token,
    headers: { "Idempotency-Key": key },
    ...(body === undefined ? {} : { body }),
  });
}

const token = { token: { name: "t", permissions: ["idp:read"] } };
const names = { otp: { issuer_name: "Acme", account_name: "alexander" } };

/** Reads everything that is stored under request keys, in the guard and in D1, as text. */
async function readStored(user: User): Promise<string> {
  const rows = await runInDurableObject(guardOf(user), (_guard, { storage }) =>
    storage.sql.exec("SELECT * FROM answers").toArray(),
  );
  const { results } = await env.DB.prepare("SELECT * FROM request_keys WHERE tenant_id = ?")
    .bind(user.tenant.id)
    .all();
  expect(rows.length).toBeGreaterThan(0);
  expect(results.length).toBeGreaterThan(0);
  return JSON.stringify([rows, results]);
}

describe("Data under an Idempotency-Key", () => {
  it("contains no secret, no code and no token in plaintext", async () => {
    const user = await User.provision(await Tenant.create());
    const configured = await post(user.tenant, user.path("/otp"), "k1", names);
    const codes = await post(user.tenant, user.path("/backup-codes"), "k2");
    const issued = await post(user.tenant, "/v1/tokens", "k3", token);
    user.secret = configured.body.user.new_otp_secret;
    const code = user.code(Date.now());
    await post(user.tenant, "/v1/idp/otp/verify", "k4", { otp: { id: user.externalId, code } });
    const stored = await readStored(user);
    const secrets = [
      user.secret,
      issued.body.token.secret,
      `"${code}"`,
      ...codes.body.user.backupCodes,
    ];
    for (const secret of secrets) expect(stored).not.toContain(secret);
  });

  it("is deleted from D1 after 24 hours, not before", async () => {
    const tenant = await Tenant.create();
    const countRows = async () => {
      const rows = env.DB.prepare("SELECT 1 FROM request_keys WHERE tenant_id = ?").bind(tenant.id);
      return (await rows.all()).results.length;
    };
    await post(tenant, "/v1/tokens", "k", token);
    await deleteExpired(env, Date.now() + 23 * 3_600_000);
    expect(await countRows()).toBe(1);
    await deleteExpired(env, Date.now() + 24 * 3_600_000 + 1_000);
    expect(await countRows()).toBe(0);
  });

  it("cannot be opened under another key or for another user", async () => {
    const tenant = await Tenant.create();
    const [user, other] = await Promise.all([User.provision(tenant), User.provision(tenant)]);
    await post(tenant, user.path("/otp"), "k1", names);
    await post(tenant, user.path("/backup-codes"), "k2");
    await post(tenant, other.path("/otp"), "k3", names);
    const readAnswers = (owner: User) =>
      runInDurableObject(guardOf(owner), (_guard, { storage }) =>
        storage.sql
          .exec<{ key: string; receipt: string }>("SELECT key, receipt FROM answers ORDER BY at")
          .toArray(),
      );
    const [foreign, own] = [await readAnswers(user), await readAnswers(other)];
    const replaceReceipt = (receipt = "") =>
      runInDurableObject(guardOf(other), (_guard, { storage }) => {
        storage.sql.exec("UPDATE answers SET receipt = ? WHERE key = ?", receipt, own[0]?.key);
      });
    for (const { receipt } of foreign) {
      await replaceReceipt(receipt);
      expect((await post(tenant, other.path("/otp"), "k3", names)).status).toBe(503);
    }
    await replaceReceipt(own[0]?.receipt);
    expect((await post(tenant, other.path("/otp"), "k3", names)).status).toBe(200);
  });
});

describe("The rows of D1 under one tenant's Idempotency-Keys", () => {
  /** Stores rows that expire one after the other, all before a new one. */
  async function storeRows(tenantId: string, rows: number, boxLength: number): Promise<void> {
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
       INSERT INTO request_keys SELECT ?1, 'old-' || i, hex(zeroblob(?3)), ?4, ?4 + i FROM n`,
    )
      .bind(tenantId, rows, boxLength / 2, Date.now())
      .run();
  }

  async function readKeys(tenantId: string): Promise<string[]> {
    const { results } = await env.DB.prepare(
      "SELECT key FROM request_keys WHERE tenant_id = ? ORDER BY forget_at",
    )
      .bind(tenantId)
      .all<{ key: string }>();
    return results.map(({ key }) => key);
  }

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    ["ten thousand rows", 10_005, 100, 10_000],
    ["ten megabytes", 100, 200_000, 50],
  ])(
    "are %s at most: the oldest are deleted, and a later retry still gets its answer",
    async (_, rows, boxLength, kept) => {
      const [tenant, other] = await Promise.all([Tenant.create(), Tenant.create()]);
      await Promise.all([tenant, other].map(({ id }) => storeRows(id, rows, boxLength)));
      vi.spyOn(Math, "random").mockReturnValue(0);
      const first = await post(tenant, "/v1/tokens", "k", token);
      const user = { user: { external_id: "new" } };
      expect((await post(tenant, "/v1/idp/users", "k", user)).status).toBe(201);
      const keys = await readKeys(tenant.id);
      expect(Math.abs(keys.length - kept)).toBeLessThanOrEqual(1);
      const firstKept = Number(keys[0]?.replace("old-", ""));
      expect(keys.slice(0, 3)).toEqual([0, 1, 2].map((n) => `old-${firstKept + n}`));
      expect(firstKept).toBeGreaterThan(rows - kept);
      expect(await readKeys(other.id)).toHaveLength(rows);
      expect((await post(tenant, "/v1/tokens", "k", token)).body).toEqual(first.body);
    },
  );

  it("are counted in one of a hundred writes", async () => {
    const tenant = await Tenant.create();
    await storeRows(tenant.id, 10_005, 100);
    const random = vi.spyOn(Math, "random").mockReturnValue(0.01);
    await post(tenant, "/v1/tokens", "k1", token);
    expect(await readKeys(tenant.id)).toHaveLength(10_006);
    random.mockReturnValue(0.009);
    await post(tenant, "/v1/tokens", "k2", token);
    expect(await readKeys(tenant.id)).toHaveLength(10_000);
  });
});

describe("A row of D1 under an Idempotency-Key", () => {
  it.each(["/v1/tokens", "/v1/idp/users"])(
    "that replaces another row causes a 503 for %s, and never returns the other row's answer",
    async (path) => {
      const tenant = await Tenant.create();
      const body = path === "/v1/tokens" ? token : { user: { external_id: "new" } };
      for (const key of ["k1", "k2"]) await post(tenant, path, key, body);
      await env.DB.prepare(
        `UPDATE request_keys SET box = (SELECT max(box) FROM request_keys WHERE tenant_id = ?1)
          WHERE tenant_id = ?1`,
      )
        .bind(tenant.id)
        .run();
      const answers = [await post(tenant, path, "k1", body), await post(tenant, path, "k2", body)];
      const codes = answers.map(({ status, body: { code } }) => `${status} ${code ?? ""}`);
      expect(codes).toContain("503 unavailable");
      expect(codes).not.toContain("500 internal_error");
    },
  );
});

describe.each<D1Fault>(["loses the reply", "loses the reply to a write", "throws", "hangs"])(
  "D1 that %s during a request with an Idempotency-Key",
  (fault) => {
    it("leaves at most one token, and a retry returns it", async () => {
      const tenant = await Tenant.create();
      const first = await withD1Fault(fault, () => post(tenant, "/v1/tokens", "k", token));
      const retry = await post(tenant, "/v1/tokens", "k", token);
      expect(retry.status).toBe(201);
      if (first.status === 201) expect(retry.body).toEqual(first.body);
      expect((await tenant.send("GET", "/v1/tokens")).body.tokens).toHaveLength(2);
      const used = await send("GET", "/v1/idp/users", { token: retry.body.token.secret });
      expect(used.status).toBe(200);
    });

    it("leaves one identity, and a retry gets the answer to its creation", async () => {
      const tenant = await Tenant.create();
      const body = { user: { external_id: "new" } };
      const first = await withD1Fault(fault, () => post(tenant, "/v1/idp/users", "k", body));
      const retry = await post(tenant, "/v1/idp/users", "k", body);
      expect(retry.status).toBe(201);
      if (first.status === 201) expect(retry.body).toEqual(first.body);
      expect((await tenant.send("GET", "/v1/idp/users")).body.users).toHaveLength(1);
    });
  },
);
