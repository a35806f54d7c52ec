/** Counting in a directory that is too large for one statement. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { controlDb } from "../../src/db/shards.ts";
import { findOrBeginReEncryption } from "../../src/keys/re-encryption-store.ts";
import { countBackupCodeSets, countRecordsToReseal } from "../../src/keys/sealed-data-store.ts";
import { countCalls } from "../support/count-calls.ts";
import { clearKeyedData } from "../support/keys.ts";

const stretch = 10_000;
const db = controlDb(env);

beforeEach(clearKeyedData);

/** So many records, numbered from 1, sealed under the second key, those of a list under the first. */
async function fill(count: number, old: readonly number[]): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
     INSERT INTO identities (tenant_id, id, external_id, status, created_at, updated_at, version, state)
     SELECT 'tenant-' || (n % 3), printf('%024d', n), 'user-' || n, 'active', 0, 0, 1,
       json_object(
         'totp', json_object('sealed', iif(n IN (SELECT value FROM json_each(?2)), '1', '2') || '.iv.box'),
         'backupCodes', json_object('keyVersion', iif(n IN (SELECT value FROM json_each(?2)), 1, 2)))
     FROM numbers`,
  )
    .bind(count, JSON.stringify(old))
    .run();
}

describe.each([
  { count: 1, stretches: 1 },
  { count: stretch - 1, stretches: 1 },
  { count: stretch, stretches: 2 },
  { count: stretch + 1, stretches: 2 },
  { count: 2 * stretch + 5_000, stretches: 3 },
])("Of $count records", ({ count, stretches }) => {
  // Around every border, and at both ends.
  const old = [1, 2, 9_999, 10_000, 10_001, 15_000, 19_999, 20_000, 20_001, 25_000];
  const there = old.filter((n) => n <= count);

  it("each is counted once, and no statement reads more than a stretch", async () => {
    await fill(count, old);
    const sealed = await countCalls(() => countRecordsToReseal(db, 2));
    expect(sealed.answer).toBe(there.length);
    // One to find where a stretch ends, one to count in it.
    expect(sealed.counts.d1Calls).toBe(2 * stretches);
    // Twice each, and a look at the fence of its tenant.
    expect(sealed.counts.d1RowsRead).toBeLessThanOrEqual(3 * count + 10 * stretches);
    expect(await countRecordsToReseal(db, 1)).toBe(count - there.length);
    const sets = await countCalls(() => countBackupCodeSets(db));
    expect(Object.fromEntries(sets.answer)).toEqual(
      count === there.length ? { 1: count } : { 1: there.length, 2: count - there.length },
    );
    expect(sets.counts.d1Calls).toBe(2 * stretches);
    expect((await findOrBeginReEncryption(db, 2, 0)).total).toBe(count);
  });
});
