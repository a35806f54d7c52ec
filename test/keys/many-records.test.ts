/** The operator's key requests with more records than one statement, or one request, may read. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runBatch } from "../../src/db/client.ts";
import { controlDbOf, databaseOf } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import { advanceCount, beginCheck, continueCheck } from "../../src/keys/check-records.ts";
import { type ReEncryptCall, reEncrypt } from "../../src/keys/re-encrypt.ts";
import { findOrBeginReEncryption, type ReEncryption } from "../../src/keys/re-encryption-store.ts";
import { reinstateNeededKeys } from "../../src/keys/version-store.ts";
import { selectByKind, strideOf } from "../support/campaign.ts";
import { send } from "../support/client.ts";
import { countCalls } from "../support/count-calls.ts";
import { clearKeyedData, deployKeys, firstCodeKey, secondCodeKey } from "../support/keys.ts";

const rangeSize = 100;
const db = controlDbOf(env);

beforeEach(clearKeyedData);

/** Inserts the tenants of the records, whose locations the re-encryption looks up. */
async function insertTenants(): Promise<void> {
  await env.DB.prepare(
    `INSERT INTO tenants (id, name, mode, created_at)
     VALUES ('tenant-0', 'n', 'test', 0), ('tenant-1', 'n', 'test', 0), ('tenant-2', 'n', 'test', 0)`,
  ).run();
}

/** Inserts records numbered from 1. The records in `old` need version 1 of both keys, all others version 2. */
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
  { count: 2 * rangeSize + 50, ranges: 3 },
])("With $count records", ({ count, ranges }) => {
  // Records around every range border and at both ends.
  const old = [1, 2, 99, 100, 101, 150, 199, 200, 201, 250];
  const oldRecords = old.filter((n) => n <= count);

  it.each([1, 2, 10])("each is counted once, %i ranges a request", async (rangesPerRequest) => {
    await insertRecords(count, old);
    let run = await findOrBeginReEncryption(db, 2, 0);
    const bounds = { recordsPerRange: rangeSize, rangesPerRequest };
    let counted = 0;
    for (;;) {
      const { answer, counts } = await countCalls(() => advanceCount(db, run, bounds));
      // One statement finds the end of a range, and one counts in it.
      expect(counts.d1Calls).toBe(2 * answer.ranges);
      expect(answer.ranges).toBeLessThanOrEqual(rangesPerRequest);
      // Each record is read twice and sorted by the version, and the fence of its tenant is read once.
      expect(counts.d1RowsRead).toBeLessThanOrEqual((4 * rangeSize + 10) * answer.ranges);
      counted += answer.ranges;
      ({ run } = answer);
      if (answer.complete !== undefined) break;
    }
    expect(counted).toBe(ranges);
    const newRecords = count - oldRecords.length;
    expect(run.found).toEqual({
      identities: count,
      underOlderKeys: oldRecords.length,
      codeSets: { 1: oldRecords.length, ...(newRecords === 0 ? {} : { 2: newRecords }) },
    });
  });
});

describe("The operator's requests", () => {
  beforeAll(insertTenants);

  // As many requests at full size as at the smaller size.
  const bounds = { recordsPerRange: 500 / strideOf(100), rangesPerRequest: 4 };

  /** Every guard has sealed its data: D1 has only records under the newest version. */
  function buildCall(): ReEncryptCall {
    const config = requireConfig(env);
    return { env, config, now: Date.now(), bounds, resealGuard: async () => true };
  }

  it("take the same number of queries, however many identities there are", {
    timeout: 300_000,
  }, async () => {
    // The first request of an isolate also checks its keys.
    await send("GET", "/v1/keys", { token: env.OPERATOR_TOKEN });
    const most: number[] = [];
    const listing: number[] = [];
    // At full size, these are the counts at which the recount took thousands of queries.
    for (const thousands of selectByKind([5, 25, 45], (size) => (size > 5 ? "many" : "few"))) {
      await clearKeyedData();
      const count = (thousands * 1_000) / strideOf(100);
      await insertRecords(
        count,
        Array.from({ length: count }, (_, n) => n + 1),
      );
      const calls: number[] = [];
      for (let isDone = false; !isDone && calls.length < count; ) {
        const { answer, counts } = await countCalls(() => reEncrypt(buildCall(), 200));
        calls.push(counts.d1Calls);
        isDone = answer.finishedAt !== null;
        if (isDone) expect(answer).toMatchObject({ total: count, seen: count, failed: 0 });
      }
      expect(calls.length).toBeGreaterThan(count / 200);
      most.push(Math.max(...calls));
      const { answer, counts } = await countCalls(() =>
        send("GET", "/v1/keys", { token: env.OPERATOR_TOKEN }),
      );
      expect(answer.body.counted).toMatchObject({ complete: true });
      listing.push(counts.d1Calls);
    }
    expect(listing).toEqual(listing.map(() => listing[0]));
    expect(most).toEqual(most.map(() => most[0]));
    expect(Math.max(...most, ...listing)).toBeLessThan(50);
  });
});

describe("A count that was interrupted", () => {
  it("is not shown as complete, and continues", async () => {
    await insertRecords(300, [1]);
    const config = requireConfig(env);
    const call = { env, config, now: 1_000, resealGuard: async () => true };
    const bounds = { recordsPerRange: 100, rangesPerRequest: 1 };
    const readKeys = async () =>
      (await send("GET", "/v1/keys", { token: env.OPERATOR_TOKEN })).body;
    expect((await readKeys()).counted).toEqual({ complete: false, at: null });
    await reEncrypt({ ...call, bounds }, 10);
    const run = await findOrBeginReEncryption(databaseOf(env, 0), 1, 0);
    expect(run).toMatchObject({ phase: "counting", found: { identities: 100 } });
    expect((await readKeys()).counted).toEqual({ complete: false, at: null });
  });
});

describe("A key version that a check may retire", () => {
  const call = { now: 1_000, bounds: { recordsPerRange: 10, rangesPerRequest: 1 } };
  const first = { tenantId: "tenant-0", identityId: `${"0".repeat(23)}3` };
  let undo = (): void => {};

  afterEach(() => undo());

  async function readRetirement(): Promise<unknown> {
    return await env.DB.prepare(
      "SELECT retired_at FROM key_versions WHERE keyring = 'backup_codes' AND version = 1",
    ).first("retired_at");
  }

  /** Counts slice by slice, and runs `act` after the first slice. */
  async function runCheck(act: () => Promise<unknown>): Promise<ReEncryption> {
    const config = requireConfig(env);
    const begun = await findOrBeginReEncryption(db, config.sealingKeys.newest, 0);
    let run = await beginCheck(db, config, begun, call.now);
    for (let slices = 0; run.finishedAt === null && slices < 20; slices += 1) {
      run = await continueCheck({ env, config, ...call }, db, run);
      if (slices === 0) await act();
    }
    return run;
  }

  beforeEach(async () => {
    undo = await deployKeys("backup_codes", `${firstCodeKey},${secondCodeKey}`);
    await env.DB.prepare(
      "INSERT INTO key_versions (keyring, version, fingerprint, first_used_at) VALUES ('backup_codes', 1, 'f', 0)",
    ).run();
    await insertRecords(50, []);
    await env.DB.prepare(
      "UPDATE identities SET state = json_set(state, '$.totp.sealed', '1.iv.box')",
    ).run();
  });

  it("is retired at the end if nothing needs it", async () => {
    const run = await runCheck(async () => expect(await readRetirement()).toBeNull());
    expect(run.counts).toEqual({ identities: 50, underOlderKeys: 0, codeSets: { 2: 50 } });
    expect(await readRetirement()).toBe(call.now);
  });

  it("stays in use if data under it arrives among the records that are counted already", async () => {
    const deliver = async () => {
      // As the transaction of a delivery does.
      await env.DB.prepare(
        "UPDATE identities SET version = 2, state = json_set(state, '$.backupCodes.keyVersion', 1) WHERE tenant_id = ? AND id = ?",
      )
        .bind(first.tenantId, first.identityId)
        .run();
      await runBatch(db, [
        reinstateNeededKeys(db, [
          { ...first, recordVersion: 2, keyring: "backup_codes", keyVersion: 1 },
        ]),
      ]);
    };
    const run = await runCheck(deliver);
    // The count did not see it, but the check did not retire the version.
    expect(run).toMatchObject({ finishedAt: call.now, counts: { codeSets: { 2: 50 } } });
    expect(await readRetirement()).toBeNull();
    const again = await runCheck(async () => {});
    expect(again.counts?.codeSets).toEqual({ 1: 1, 2: 49 });
    expect(await readRetirement()).toBeNull();
  });
});
