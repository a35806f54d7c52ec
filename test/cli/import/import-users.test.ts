/** Batches, and how they are sent. */
import { describe, expect, it } from "vitest";
import { divide } from "../../../packages/cli/src/import/batch.ts";
import type { Entry, ImportRow } from "../../../packages/cli/src/import/entry.ts";
import { importUsers, type SendRows } from "../../../packages/cli/src/import/import-users.ts";
import { showBar } from "../../../packages/cli/src/import/progress-bar.ts";
import {
  describeEntry,
  type Reported,
  showReported,
} from "../../../packages/cli/src/import/report.ts";

function rowOf(id: string, nameLength = 0): ImportRow {
  const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
  const authenticator = { secret, encoding: "base32", algorithm: "SHA1", digits: 6, period: 30 };
  return {
    ...{ external_id: id, status: "active" },
    authenticators: [
      { ...authenticator, encoding: "base32", algorithm: "SHA1", name: "x".repeat(nameLength) },
    ],
  };
}

async function* entriesOf(count: number, nameLength = 0): AsyncGenerator<Entry> {
  for (let n = 0; n < count; n += 1) {
    const id = `user-${n}`;
    yield { kind: "user", place: `line ${n + 1}`, id, row: rowOf(id, nameLength), notes: [] };
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

interface Run {
  readonly send: SendRows;
  readonly count?: number;
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

async function run({
  send,
  count = 450,
  concurrency = 2,
  signal = new AbortController().signal,
}: Run) {
  const reported: Reported[] = [];
  const isDone = await importUsers({
    ...{ entries: entriesOf(count), send, journal: undefined, concurrency, signal },
    onDone: (some) => {
      reported.push(...some);
      return { path: null, bytes: 0 };
    },
  });
  return { isDone, reported };
}

const accept: SendRows = async (rows) => rows.map(() => ({ outcome: "created" }));

describe("A batch", () => {
  it("has at most 100 users, and the same ones each time", async () => {
    const [first, second] = await Promise.all([
      collect(divide(entriesOf(250))),
      collect(divide(entriesOf(250))),
    ]);
    expect(first.map(({ index, users }) => [index, users.length])).toEqual([
      [0, 100],
      [1, 100],
      [2, 50],
    ]);
    expect(second).toEqual(first);
  });

  it("stays below the size of a request that the service takes", async () => {
    const batches = await collect(divide(entriesOf(100, 20_000)));
    const sizes = batches.map(({ users }) => JSON.stringify(users.map(({ row }) => row)).length);
    expect(Math.max(...sizes)).toBeLessThan(512 * 1024);
    expect(batches.flatMap(({ users }) => users)).toHaveLength(100);
  });

  it("has what is reported beside the users, in the order of the file", async () => {
    const mixed = async function* (): AsyncGenerator<Entry> {
      yield { kind: "refused", place: "line 1", id: "", reason: "no" };
      yield* entriesOf(1);
      yield { kind: "left_out", place: "line 3", id: "bot", reason: "no person" };
    };
    const [batch] = await collect(divide(mixed()));
    expect(batch?.entries.map(({ kind }) => kind)).toEqual(["refused", "user", "left_out"]);
  });
});

describe("An import", () => {
  it("sends every user once, and reports each with its own result", async () => {
    const sent: string[] = [];
    const { isDone, reported } = await run({
      send: async (rows) => {
        sent.push(...rows.map((row) => row.external_id));
        return rows.map(({ external_id: id }) => ({ outcome: "created", message: `of ${id}` }));
      },
    });
    expect(isDone).toBe(true);
    expect(new Set(sent).size).toBe(450);
    expect(sent).toHaveLength(450);
    expect(reported.every(({ id, message }) => message === `of ${id}`)).toBe(true);
  });

  it("has no more calls under way than it may", async () => {
    let most = 0;
    let waiting: (() => void)[] = [];
    const answerAll = () => {
      for (const answer of waiting) answer();
      waiting = [];
    };
    await run({
      count: 1_000,
      concurrency: 3,
      send: async (rows) => {
        const isLast = rows[0]?.external_id === "user-900";
        const answer = new Promise<void>((resolve) => waiting.push(resolve));
        most = Math.max(most, waiting.length);
        if (waiting.length === 3 || isLast) answerAll();
        await answer;
        return rows.map(() => ({ outcome: "created" }));
      },
    });
    expect(most).toBe(3);
  });

  it("ends with the failure of a call, after the calls that are under way", async () => {
    const second = Promise.withResolvers<void>();
    const failed = Promise.withResolvers<void>();
    const sent: (string | undefined)[] = [];
    const ended: (string | undefined)[] = [];
    const failing = run({
      send: async (rows) => {
        const first = rows[0]?.external_id;
        sent.push(first);
        if (first === "user-0") {
          await second.promise;
          failed.resolve();
          throw new Error("refused");
        }
        second.resolve();
        await failed.promise;
        ended.push(first);
        return await accept(rows, undefined);
      },
    });
    await expect(failing).rejects.toThrow("refused");
    expect(sent).toEqual(["user-0", "user-100"]);
    expect(ended).toEqual(["user-100"]);
  });

  it("begins no call after its end was asked for", async () => {
    const end = new AbortController();
    const { isDone, reported } = await run({
      concurrency: 1,
      signal: end.signal,
      send: async (rows) => {
        end.abort();
        return await accept(rows, undefined);
      },
    });
    expect(isDone).toBe(false);
    expect(reported).toHaveLength(100);
  });
});

describe("What is shown", () => {
  it("is the rate and the time left, of this start alone", () => {
    expect(showBar({ done: 60_000, total: 100_000, before: 50_000, elapsedMs: 10_000 })).toBe(
      "[############........] 60,000 of 100,000, 1,000/s, 40 s left",
    );
    expect(showBar({ done: 0, total: 0, before: 0, elapsedMs: 0 })).toBe(
      "[####################] 0 of 0",
    );
  });

  it("is one line for a user, with what is not included below", () => {
    const entry: Entry = {
      ...{ kind: "user", place: "line 1", id: "alice\u001b[2J", row: rowOf("alice") },
      notes: ["its passkey"],
    };
    expect(showReported(describeEntry(entry, { outcome: "created" }), true)).toBe(
      'line 1: "alice\\u001b[2J" would be created: 1 authenticator (SHA1, 6 digits, 30 s)\n  not included: its passkey',
    );
  });

  it("never is the secret", () => {
    const entry: Entry = { kind: "user", place: "1", id: "a", row: rowOf("a"), notes: [] };
    for (const outcome of ["created", "added", "skipped", "failed", "something new"]) {
      const reported = describeEntry(entry, { outcome, message: "Why." });
      expect(showReported(reported, false)).not.toContain("JBSWY3DP");
    }
  });
});
