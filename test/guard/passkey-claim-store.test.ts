/** The statements about claims of passkeys, in D1. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { saveRecord } from "../../src/audit/record-store.ts";
import { type Database, runBatch } from "../../src/db/client.ts";
import { controlDbOf } from "../../src/db/shards.ts";
import {
  claimPasskey,
  releaseClaims,
  restoreClaims,
} from "../../src/identity/passkey-claim-store.ts";

const passkeyId = "b".repeat(24);
const auditKeyId = "key of the user";
let tenants = 0;

function createTenant() {
  tenants += 1;
  const tenantId = `tenant-${tenants}`;
  const claimOf = (identityId: string, claimId: string) => ({
    tenantId,
    identityId,
    passkeyId,
    claimId,
  });
  const read = async () =>
    (
      await env.DB.prepare("SELECT identity_id, claim_id FROM passkey_claims WHERE tenant_id = ?")
        .bind(tenantId)
        .all<{ identity_id: string; claim_id: string }>()
    ).results.map(({ identity_id, claim_id }) => [identity_id, claim_id]);
  return { db: controlDbOf(env), tenantId, claimOf, read };
}

async function save(db: Database, tenantId: string, id: string, version: number): Promise<void> {
  const times = { lockedUntil: null, createdAt: 1, updatedAt: 1 };
  await runBatch(db, [
    saveRecord(db, {
      tenantId,
      id,
      externalId: id,
      status: "active",
      ...times,
      version,
      state: JSON.stringify({ auditKey: { id: auditKeyId } }),
      needsVersion: true,
    }),
  ]);
}

describe("A claim of a passkey", () => {
  it("goes to the first of two identities that claim it at once", async () => {
    const { db, claimOf, read } = createTenant();
    const claims = [claimOf("first", "1"), claimOf("second", "2")];
    const found = await Promise.all(claims.map((claim) => claimPasskey(db, claim, null)));
    expect(found[0]).toEqual(found[1]);
    expect(await read()).toEqual([[found[0]?.identityId, found[0]?.claimId]]);
  });

  it("is renewed by the same identity", async () => {
    const { db, claimOf, read } = createTenant();
    await claimPasskey(db, claimOf("first", "1"), null);
    expect(await claimPasskey(db, claimOf("first", "2"), null)).toEqual(claimOf("first", "2"));
    expect(await read()).toEqual([["first", "2"]]);
  });

  it("is taken over only in the form in which its guard has abandoned it", async () => {
    const { db, claimOf, read } = createTenant();
    await claimPasskey(db, claimOf("first", "1"), null);
    await claimPasskey(db, claimOf("first", "2"), null);
    const late = await claimPasskey(db, claimOf("second", "3"), claimOf("first", "1"));
    expect(late).toEqual(claimOf("first", "2"));
    expect(await claimPasskey(db, claimOf("second", "4"), late)).toEqual(claimOf("second", "4"));
    expect(await read()).toEqual([["second", "4"]]);
  });

  it("is another one in each tenant", async () => {
    const [first, second] = [createTenant(), createTenant()];
    await claimPasskey(first.db, first.claimOf("first", "1"), null);
    const claim = second.claimOf("second", "2");
    expect(await claimPasskey(second.db, claim, null)).toEqual(claim);
  });

  it("stays when an earlier claim of the same identity is released, once or again", async () => {
    const { db, claimOf, read } = createTenant();
    await claimPasskey(db, claimOf("first", "1"), null);
    await claimPasskey(db, claimOf("first", "2"), null);
    await runBatch(db, [releaseClaims(db, [claimOf("first", "1")])]);
    expect(await read()).toEqual([["first", "2"]]);
    const release = [releaseClaims(db, [claimOf("first", "1"), claimOf("first", "2")])];
    await runBatch(db, release);
    await runBatch(db, release);
    expect(await read()).toEqual([]);
  });

  it("is restored unless D1 has a newer record, and writes nothing where one exists", async () => {
    const { db, tenantId, claimOf, read } = createTenant();
    await save(db, tenantId, "first", 4);
    const restore = async (version: number, claimId: string, ofUser = auditKeyId) => {
      const claim = { ...claimOf("first", claimId), version, auditKeyId: ofUser };
      return await runBatch(db, [restoreClaims(db, [claim])]);
    };
    await restore(3, "old");
    await restore(5, "of an earlier user of the same name", "another key");
    expect(await read()).toEqual([]);
    // D1 has the older version if it says the same.
    await restore(5, "1");
    const [again] = await restore(4, "2");
    expect(again).toMatchObject({ meta: { rows_written: 0 } });
    expect(await read()).toEqual([["first", "1"]]);
  });

  it("is one row written, and so is its release", async () => {
    const { db, claimOf } = createTenant();
    const claim = claimOf("first", "1");
    const rows = await env.DB.prepare(
      "INSERT INTO passkey_claims VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
      .bind(claim.tenantId, claim.passkeyId, claim.identityId, claim.claimId)
      .run();
    const [released] = await runBatch(db, [releaseClaims(db, [claim])]);
    expect([rows.meta.rows_written, Object(released).meta.rows_written]).toEqual([1, 1]);
  });
});
