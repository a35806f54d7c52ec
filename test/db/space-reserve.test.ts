import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { measureDatabase, usedPercentOf } from "../../src/db/database-size.ts";
import { databaseOf } from "../../src/db/shards.ts";
import { chunkBytes, planReserve } from "../../src/db/space-reserve.ts";
import { maintainSpace } from "../../src/housekeeping.ts";
import { type Answer, fetchAnswer } from "../support/client.ts";
import { databases } from "../support/databases.ts";
import { countReserve, setReserve } from "../support/full-database.ts";
import { findContradiction } from "../support/openapi-conformity.ts";

const shard = 2;
const maxMb = 10;
const maxBytes = maxMb * 1_000_000;
/** A row takes four pages. */
const ballastBytes = 16_000;
const bytesPerRow = 16_384;

function changeEnv(changes: Record<string, unknown>): Env {
  return { ...env, ...changes };
}

/** The service with a small limit for its databases. */
const smallLimit = changeEnv({ MAX_DATABASE_MB: String(maxMb) });

const lines: string[] = [];

beforeEach(async () => {
  lines.length = 0;
  for (const level of ["info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line)));
  }
  await databases()[shard].exec("CREATE TABLE ballast (content blob)");
});

afterEach(async () => {
  vi.restoreAllMocks();
  await databases()[shard].exec("DROP TABLE ballast");
  for (const used of [0, 1, 2] as const) await setReserve(used, 0);
});

/** Makes the database hold about that part of the limit. */
async function fillTo(percent: number): Promise<void> {
  const { bytes } = await measureDatabase(databaseOf(env, shard));
  const missing = (maxBytes * (percent + 0.5)) / 100 - bytes;
  await databases()
    [shard].prepare(
      `INSERT INTO ballast WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        SELECT zeroblob(${ballastBytes}) FROM n`,
    )
    .bind(Math.round(missing / bytesPerRow))
    .run();
}

async function askReadiness(): Promise<Answer> {
  const answer = await fetchAnswer(new Request("https://idp.test/readyz"), smallLimit);
  expect(await findContradiction("GET", "/readyz", answer)).toBeUndefined();
  return answer;
}

const sizeOf = (bytes: number, reserveChunks = 0) => ({ bytes, reserveChunks });
const gb = 1_000_000_000;

describe("The plan for the space reserve", () => {
  it("adds nothing to a small database, and a hundredth of the limit to a large one", () => {
    expect(planReserve(sizeOf(500_000), 10 * gb)).toBe(0);
    const full = Math.floor((10 * gb) / 100 / chunkBytes);
    let chunks = 0;
    for (let run = 0; run < 30; run += 1) chunks += planReserve(sizeOf(6 * gb, chunks), 10 * gb);
    expect(chunks).toBe(full);
    expect(planReserve(sizeOf(6 * gb, full + 3), 10 * gb)).toBe(0);
  });

  it("takes half of the free space at most, and nothing once there is none", () => {
    const free = 10 * chunkBytes;
    expect(planReserve(sizeOf(10 * gb - free), 10 * gb)).toBe(5);
    expect(planReserve(sizeOf(10 * gb), 10 * gb)).toBe(0);
    expect(planReserve(sizeOf(10.5 * gb), 10 * gb)).toBe(0);
  });
});

describe("A database that is nearly full", () => {
  it("is in readiness and in the log from 80 % on, and an error in the log from 95 % on", async () => {
    await fillTo(79);
    expect((await askReadiness()).body).toEqual({ status: "ready" });
    await maintainSpace(smallLimit);
    expect(lines.filter((line) => line.includes("nearly_full"))).toEqual([]);
    for (const [percent, level] of [
      [82, "warn"],
      [96, "error"],
    ] as const) {
      lines.length = 0;
      await fillTo(percent);
      const { status, body } = await askReadiness();
      const warning = { code: "database_nearly_full", shard, used_percent: percent };
      expect([status, body]).toEqual([200, { status: "ready", warnings: [warning] }]);
      await maintainSpace(smallLimit);
      expect(lines).toEqual([
        JSON.stringify({ level, event: "database_nearly_full", shard, percent }),
      ]);
    }
  });

  it("stays ready when it is full", async () => {
    await fillTo(101);
    const { status, body } = await askReadiness();
    expect([status, body.warnings[0].used_percent]).toEqual([200, 101]);
    await maintainSpace(smallLimit);
    expect(await countReserve(shard)).toBe(0);
  });
});

describe("The space reserve", () => {
  it("is filled, takes the planned space, and is refilled after use", async () => {
    await fillTo(60);
    const before = await measureDatabase(databaseOf(env, shard));
    await maintainSpace(smallLimit);
    const filled = await measureDatabase(databaseOf(env, shard));
    expect(filled.reserveChunks).toBe(Math.floor(maxBytes / 100 / chunkBytes));
    expect(await countReserve(shard)).toBe(filled.reserveChunks);
    expect(filled.bytes - before.bytes).toBeGreaterThanOrEqual(filled.reserveChunks * chunkBytes);
    await setReserve(shard, 2);
    await maintainSpace(smallLimit);
    expect(await measureDatabase(databaseOf(env, shard))).toEqual(filled);
    await maintainSpace(smallLimit);
    expect(await countReserve(shard)).toBe(filled.reserveChunks);
  });

  it("frees at least its own size when it is deleted", async () => {
    await setReserve(shard, 10);
    const before = await measureDatabase(databaseOf(env, shard));
    await databases()[shard].prepare("DELETE FROM space_reserve WHERE id > 9").run();
    const after = await measureDatabase(databaseOf(env, shard));
    expect(before.bytes - after.bytes).toBeGreaterThanOrEqual(chunkBytes);
    expect(usedPercentOf(after, after.bytes)).toBe(100);
  });

  it("that cannot be maintained is logged, and the other databases are", async () => {
    await fillTo(60);
    await maintainSpace(changeEnv({ MAX_DATABASE_MB: String(maxMb), DB: {} }));
    expect(lines.join()).toContain('"event":"space_not_maintained"');
    expect(await countReserve(shard)).toBeGreaterThan(0);
  });
});
