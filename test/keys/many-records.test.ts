/** Counts records of a database that is too large for one statement. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { controlDbOf } from "../../src/db/shards.ts";
import { findOrBeginReEncryption } from "../../src/keys/re-encryption-store.ts";
import { countBackupCodeSets, countRecordsToReseal } from "../../src/keys/sealed-data-store.ts";
import { countCalls } from "../support/count-calls.ts";
import { clearKeyedData } from "../support/keys.ts";

const rangeSize = 10_000;
const db = controlDbOf(env);

beforeEach(clearKeyedData);

/** Inserts records numbered from 1. The records in `old` are sealed under key 1, all others under key 2. */
async function insertRecords(count: number, old: readonly number[]): Promise<void> {
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
  { count: 1, ranges: 1 },
  { count: rangeSize - 1, ranges: 1 },
  { count: rangeSize, ranges: 2 },
  { count: rangeSize + 1, ranges: 2 },
  { count: 2 * rangeSize + 5_000, ranges: 3 },
])("With $count records", ({ count, ranges }) => {
  // Records around every range border and at both ends.
  const old = [1, 2, 9_999, 10_000, 10_001, 15_000, 19_999, 20_000, 20_001, 25_000];
  const oldRecords = old.filter((n) => n <= count);

  it("each record is counted once, and no statement reads more than one range", async () => {
    await insertRecords(count, old);
    const sealed = await countCalls(() => countRecordsToReseal(db, 2));
    expect(sealed.answer).toBe(oldRecords.length);
    // One statement finds the end of a range, and one counts in it.
    expect(sealed.counts.d1Calls).toBe(2 * ranges);
    // Each record is read twice, and the fence of its tenant once.
    expect(sealed.counts.d1RowsRead).toBeLessThanOrEqual(3 * count + 10 * ranges);
    expect(await countRecordsToReseal(db, 1)).toBe(count - oldRecords.length);
    const sets = await countCalls(() => countBackupCodeSets(db));
    expect(Object.fromEntries(sets.answer)).toEqual(
      count === oldRecords.length
        ? { 1: count }
        : { 1: oldRecords.length, 2: count - oldRecords.length },
    );
    expect(sets.counts.d1Calls).toBe(2 * ranges);
    expect((await findOrBeginReEncryption(db, 2, 0)).total).toBe(count);
  });
});
