/** Searches every store, after an erasure, for all data that was ever stored about the person. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { requireConfig } from "../../src/env.ts";
import { openReceipt } from "../../src/idempotency/receipt.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { send, Tenant, User } from "../support/client.ts";
import { evict, guardOf, inspectGuard } from "../support/guard.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { logIn, registerPasskey, setUpPasskeys } from "../support/passkeys.ts";
import { copyStores, decodeText, type StoresCopy } from "../support/stores.ts";

const dayMs = 24 * 60 * 60 * 1000;
const session = { ip: "198.51.100.7", ua: "Leaver/1.0 (a browser of theirs)" };

/** Registers, renames and uses passkeys of a user who was just verified. @returns personal texts */
async function usePasskeys(user: User): Promise<string[]> {
  const { tenant } = user;
  await setUpPasskeys(tenant);
  const authenticator = new PasskeyAuthenticator();
  const kept = await registerPasskey(user, authenticator);
  expect((await logIn(tenant, authenticator)).status).toBe(200);
  const removed = await registerPasskey(user, new PasskeyAuthenticator());
  const name = "the key of the leaver";
  await tenant.send("PATCH", user.path(`/passkeys/${kept.id}`), { passkey: { name } });
  await tenant.send("DELETE", user.path(`/passkeys/${removed.id}`));
  return [name, ...[kept, removed].flatMap((one) => [one.credential_id, one.public_key])];
}

/** Uses every operation on the user, with and without an Idempotency-Key. @returns personal texts */
async function useEveryOperation(user: User): Promise<string[]> {
  const { tenant } = user;
  const keyed = async (path: string, body?: object) =>
    await send("POST", path, {
      token: tenant.token,
      headers: { "Idempotency-Key": crypto.randomUUID() },
      ...(body === undefined ? {} : { body }),
    });
  const names = { otp: { issuer_name: "Acme", account_name: "leaver@mail.example" } };
  const configured = await keyed(user.path("/otp"), names);
  user.secret = configured.body.user.new_otp_secret;
  const codes: string[] = (await keyed(user.path("/backup-codes"))).body.user.backupCodes;
  const assessed = await keyed("/v1/sentinel/discover", {
    sentinel: { id: user.id, context: { ...session, user_id: "their-own-id" } },
  });
  const { assessment_id: assessment } = assessed.body;
  const otp = { id: user.externalId, code: user.code(Date.now()), assessment_id: assessment };
  expect((await keyed("/v1/idp/otp/verify", { otp })).status).toBe(200);
  expect((await user.verify(codes[0])).status).toBe(200);
  await user.verify(user.wrongCode(Date.now()));
  await user.sendFeedback(assessment, "legitimate");
  await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
  await user.verify(codes[1]);
  await tenant.send("PATCH", user.path(), { user: { status: "active" } });
  await user.configure();
  const passkeyTexts = await usePasskeys(user);
  const narrow = await tenant.tokenWith(["sentinel:read"]);
  for (const token of [narrow, tenant.token]) {
    // These requests are refused at the edge; only the refusal log counts them.
    await tenant.send("GET", `${user.path()}&unknown=${user.secret}`, undefined, token);
    await send("POST", "/v1/idp/otp/verify", { token, body: { otp: { id: user.externalId } } });
  }
  await guardOf(user).deliver();
  const changeAll = { simulation: { sentinel: { challenge_at: 0.0001, deny_at: 0.0002 } } };
  const simulated = await keyed("/v1/sentinel/simulate", changeAll);
  expect(JSON.stringify(simulated.body)).toContain(user.id);
  await keyed("/v1/tokens", { token: { name: "t", permissions: ["idp:read"] } });
  const texts = ["leaver@mail.example", session.ip, session.ua, "their-own-id"];
  return [user.secret, ...codes, ...texts, ...passkeyTexts];
}

/** The words in the values that are long enough not to occur elsewhere by chance. */
function findLongWords(values: readonly string[]): Set<string> {
  return new Set(values.flatMap((value) => value.match(/[\w.@+/=-]{12,}/g) ?? []));
}

async function rowsOf(query: string): Promise<string[]> {
  const { results } = await env.DB.prepare(query).all();
  return results.flatMap((row) => Object.values(row)).map(String);
}

/** What the rows under the tenant's Idempotency-Keys contain, opened with the Worker's keys. */
async function openRequests(tenantId: string): Promise<string[]> {
  const { results } = await env.DB.prepare("SELECT key, box FROM request_keys WHERE tenant_id = ?")
    .bind(tenantId)
    .all<{ key: string; box: string }>();
  const { sealingKeys } = requireConfig(env);
  const open = async ({ key, box }: { key: string; box: string }) =>
    JSON.stringify(await openReceipt(sealingKeys, { tenantId, identityId: "" }, key, box));
  return await Promise.all(results.map(open));
}

function valuesOf(copy: StoresCopy): string[] {
  return Object.values(copy).flat();
}

describe("An erasure", () => {
  it("leaves no data about the person in any store, except that an identity existed", async () => {
    const tenant = await Tenant.create();
    const other = await User.withTotp(tenant, "user-who-stays");
    await other.assess({ ip: "203.0.113.9", ua: "Stays/1.0 (another browser)" });
    await guardOf(other).deliver();
    const before = findLongWords(valuesOf(await copyStores()));

    const user = await User.provision(tenant, "leaver-external-id");
    const personalTexts = await useEveryOperation(user);
    await integrateLogs(env, Date.now());
    await witnessHeads(env, Date.now());
    await publishPopulations(env, Date.now() + 8 * dayMs);
    const during = await copyStores();
    const records = await rowsOf("SELECT * FROM identities");
    const sessions = await rowsOf("SELECT * FROM assessments");
    const found = findLongWords([...during.guards, ...during.watches, ...records, ...sessions]);
    const personalWords = [...found].filter((word) => !before.has(word));
    expect(personalWords.length).toBeGreaterThan(50);
    expect(valuesOf(during).join("\n")).toContain("leaver-external-id");
    expect(during.refusalLogs.join("\n")).toContain("insufficient_scope");

    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    const tombstone = await env.DB.prepare("SELECT * FROM identities WHERE id = ?")
      .bind(user.id)
      .first();
    const empty = { external_id: null, locked_until: null, state: null };
    expect(tombstone).toMatchObject({ ...empty, status: "erased" });
    await evict(user);
    await integrateLogs(env, Date.now());
    await publishPopulations(env, Date.now() + 8 * dayMs);
    // The trail keeps ids, hashes, and sealed boxes whose key is deleted.
    const explained = findLongWords(await rowsOf("SELECT * FROM audit_events"));
    // Hashes of the tenant's idempotency keys are deleted within 24 hours; their receipts are sealed.
    for (const key of await rowsOf("SELECT key FROM request_keys")) explained.add(key);
    await archiveLogs(env, Date.now() + 401 * dayMs, findRetentionDays);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });

    const { watches: _aDayAtMost, ...after } = await copyStores();
    const requests = await openRequests(tenant.id);
    expect(requests.length).toBeGreaterThan(2);
    expect(requests.join()).not.toContain(user.id);
    const text = decodeText([...Object.values(after).flat(), ...requests]);
    for (const word of ["leaver-external-id", ...personalTexts]) {
      expect(text).not.toContain(word.toUpperCase());
    }
    const longWords = Object.values(after)
      .flat()
      .flatMap((value) => value.match(/[\w.@+/=-]{12,}/g) ?? []);
    const remaining = new Set(longWords);
    const unexplained = personalWords.filter(
      (word) => remaining.has(word) && !explained.has(word) && word !== user.id,
    );
    expect(unexplained).toEqual([]);
    expect((await other.verify(other.code(Date.now()))).status).toBe(200);
  });

  it("leaves no answer that a repeated request could get", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    tenant.requestKey = "k";
    const changeAll = { simulation: { sentinel: { challenge_at: 0.0001, deny_at: 0.0002 } } };
    const requests = [
      () => user.discover(),
      () => user.verify(user.code(Date.now())),
      () => user.configure(),
      () => tenant.send("POST", user.path("/backup-codes")),
      () => tenant.send("POST", user.path("/unlock")),
      () => tenant.send("POST", "/v1/sentinel/simulate", changeAll),
    ];
    for (const request of requests) expect((await request()).status).toBe(200);
    await guardOf(user).deliver();
    const simulation = requests.at(-1);
    expect(JSON.stringify((await simulation?.())?.body)).toContain(user.id);
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    for (const request of requests) {
      const { status, headers, body } = await request();
      expect([status, headers.get("Idempotent-Replayed")]).toEqual([
        request === simulation ? 200 : 404,
        null,
      ]);
      expect(JSON.stringify(body)).not.toContain(user.id);
    }
  });
});
