/** After an erasure every store is searched for everything that was ever stored of the person. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { send, Tenant, User } from "../support/client.ts";
import { evict, guardOf, inspectGuard } from "../support/guard.ts";
import { copyStores, decodeText, type StoresCopy } from "../support/stores.ts";

const session = { ip: "198.51.100.7", ua: "Leaver/1.0 (a browser of theirs)" };

/** Does with a user all that can be done, with and without an Idempotency-Key. */
async function livedThrough(user: User): Promise<string[]> {
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
  const narrow = await tenant.tokenWith(["sentinel:read"]);
  for (const token of [narrow, tenant.token]) {
    // Refused at the door, where only the refusal log hears of it.
    await tenant.send("GET", `${user.path()}&unknown=${user.secret}`, undefined, token);
    await send("POST", "/v1/idp/otp/verify", { token, body: { otp: { id: user.externalId } } });
  }
  await guardOf(user).deliver();
  return [user.secret, ...codes, "leaver@mail.example", session.ip, session.ua, "their-own-id"];
}

/** What of a value is about the person: long enough to be found by chance nowhere else. */
function wordsIn(values: readonly string[]): Set<string> {
  return new Set(values.flatMap((value) => value.match(/[\w.@+/=-]{12,}/g) ?? []));
}

async function rowsOf(query: string): Promise<string[]> {
  const { results } = await env.DB.prepare(query).all();
  return results.flatMap((row) => Object.values(row)).map(String);
}

function allOf(copy: StoresCopy): string[] {
  return Object.values(copy).flat();
}

describe("An erasure", () => {
  it("leaves in no store anything that was stored of the person, but that there was an identity", async () => {
    const tenant = await Tenant.create();
    const stays = await User.withTotp(tenant, "somebody-who-stays");
    await stays.assess({ ip: "203.0.113.9", ua: "Stays/1.0 (another browser)" });
    await guardOf(stays).deliver();
    const before = wordsIn(allOf(await copyStores()));

    const user = await User.provision(tenant, "leaver-external-id");
    const told = await livedThrough(user);
    await integrateLogs(env, Date.now());
    await witnessHeads(env, Date.now());
    await publishPopulations(env, Date.now());
    const during = await copyStores();
    const records = await rowsOf("SELECT * FROM identities");
    const sessions = await rowsOf("SELECT * FROM assessments");
    const found = wordsIn([...during.guards, ...during.watches, ...records, ...sessions]);
    const ofThem = [...found].filter((word) => !before.has(word));
    expect(ofThem.length).toBeGreaterThan(50);
    expect(allOf(during).join("\n")).toContain("leaver-external-id");
    expect(during.refusalLogs.join("\n")).toContain("insufficient_scope");

    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    const tombstone = await env.DB.prepare("SELECT * FROM identities WHERE id = ?")
      .bind(user.id)
      .first();
    const empty = { external_id: null, locked_until: null, state: null };
    expect(tombstone).toMatchObject({ ...empty, status: "erased" });
    await evict(user);
    await integrateLogs(env, Date.now());
    await publishPopulations(env, Date.now());
    // What the trail goes on telling: ids, hashes, and boxes whose key is gone.
    const trail = wordsIn(await rowsOf("SELECT * FROM audit_events"));
    // Hashes of the tenant's own request keys, which go within 24 hours; what is with them is sealed.
    for (const key of await rowsOf("SELECT key FROM request_keys")) trail.add(key);
    await archiveLogs(env, Date.now() + 401 * 24 * 60 * 60 * 1000, findRetentionDays);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });

    const { watches: _tenMinutes, ...after } = await copyStores();
    const text = decodeText(Object.values(after).flat());
    for (const word of ["leaver-external-id", ...told]) {
      expect(text).not.toContain(word.toUpperCase());
    }
    const left = Object.values(after)
      .flat()
      .flatMap((value) => value.match(/[\w.@+/=-]{12,}/g) ?? []);
    const remains = new Set(left);
    const unexplained = ofThem.filter(
      (word) => remains.has(word) && !trail.has(word) && word !== user.id,
    );
    expect(unexplained).toEqual([]);
    expect((await stays.verify(stays.code(Date.now()))).status).toBe(200);
  });
});
