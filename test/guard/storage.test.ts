/** Checks that a guard with empty memory reads what another instance wrote. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { AuditEvent } from "../../src/audit/event.ts";
import type { KeptAnswer } from "../../src/guard/kept-answers.ts";
import { GuardStorage } from "../../src/guard/storage.ts";
import type { KnownSession } from "../../src/sentinel/history.ts";
import { SqlTable } from "../../src/sql-table.ts";
import { createSession, day, hour } from "../sentinel/example.ts";
import { buildIdentity, call, now } from "./decisions/example.ts";

const event: AuditEvent = {
  id: "cccccccccccccccccccccccc",
  tenantId: call.tenantId,
  at: now,
  actor: call.actor,
  action: "user.unlocked",
  target: { type: "identity", id: call.identityId },
  personal: { external_id: buildIdentity().externalId },
  outcome: "success",
  reason: null,
  requestId: call.requestId,
  details: {},
};

/** Returns the number of rows that the work wrote, as SQLite counts them. */
type CountWrites = (work: () => void) => number;

/** Runs the work with the storage of a new guard. */
async function runInGuard(
  work: (
    open: () => GuardStorage,
    storage: DurableObjectStorage,
    countWrites: CountWrites,
  ) => unknown,
): Promise<void> {
  const stub = env.GUARD.get(env.GUARD.newUniqueId());
  await runInDurableObject(stub, async (_guard, { storage }) => {
    const countWrites: CountWrites = (write) => {
      const changes = () => storage.sql.exec<{ n: number }>("SELECT total_changes() AS n").one().n;
      const before = changes();
      write();
      return changes() - before;
    };
    await work(() => new GuardStorage(storage), storage, countWrites);
  });
}

function buildAnswer(key: string, expiresAt = now + day): KeptAnswer {
  return {
    key,
    at: now,
    requestId: `request-of-${key}`,
    receipt: `v1:${key}`,
    result: "{}",
    expiresAt,
  };
}

describe("An empty guard", () => {
  it("is read as empty, and reads and deletions create no table", async () => {
    await runInGuard((open, { sql }) => {
      const storage = open();
      expect(storage.readState()).toBeNull();
      expect(storage.readHistory()).toEqual([]);
      expect(storage.readPending()).toBeUndefined();
      expect(storage.answers.find("a")).toBeUndefined();
      expect(storage.answers.readAll()).toEqual([]);
      expect(storage.answers.deleteExpired(now)).toBeUndefined();
      storage.removeDelivered(1);
      const tables = sql
        .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '%cf%'")
        .toArray();
      expect(tables).toEqual([]);
    });
  });
});

describe("State and outbox", () => {
  it("are written together, and the newest state is read", async () => {
    await runInGuard((open) => {
      const storage = open();
      const second = buildIdentity({ status: "suspended" });
      storage.write(buildIdentity(), 1, { entry: { events: [event] } });
      storage.write(second, 2);
      for (const seen of [storage, open()]) {
        expect(seen.readState()).toEqual({ state: second, version: 2 });
        expect(seen.readPending()).toMatchObject({ state: second, version: 2, lastSeq: 1 });
        expect(seen.readPending()?.entries).toMatchObject([{ seq: 1, events: [event] }]);
      }
    });
  });

  it("deliver fifty changes at a time, the oldest first, and delete only delivered ones", async () => {
    await runInGuard((open) => {
      const storage = open();
      for (let version = 1; version <= 51; version += 1) {
        const dispatch = { events: [{ ...event, requestId: `request-${version}` }] };
        storage.write(buildIdentity(), version, { entry: dispatch });
      }
      const first = storage.readPending();
      expect(first?.entries).toHaveLength(50);
      expect(first?.entries[0]?.events[0]?.requestId).toBe("request-1");
      expect(first?.lastSeq).toBe(50);
      storage.removeDelivered(50);
      expect(storage.readPending()?.entries[0]?.events[0]?.requestId).toBe("request-51");
      storage.removeDelivered(51);
      expect(storage.readPending()).toBeUndefined();
    });
  });

  it("do not change when any part of a change cannot be written", async () => {
    await runInGuard((open) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { entry: { events: [] } });
      const unwritable = buildAnswer("a", Number.NaN);
      const next = {
        dispatch: { events: [event] },
        history: [createSession()],
        answer: unwritable,
      };
      expect(() => storage.write(buildIdentity({ status: "suspended" }), 2, next)).toThrow();
      for (const seen of [storage, open()]) {
        expect(seen.readState()).toEqual({ state: buildIdentity(), version: 1 });
        expect(seen.readPending()?.entries).toMatchObject([{ seq: 1, events: [] }]);
        expect(seen.readHistory()).toEqual([]);
        expect(seen.answers.readAll()).toEqual([]);
      }
    });
  });
});

describe("The outbox", () => {
  it("is written with the state in one row, and its delivery writes none", async () => {
    await runInGuard((open, _raw, countWrites) => {
      const storage = open();
      storage.write(buildIdentity(), 1);
      const change = () => storage.write(buildIdentity(), 2, { entry: { events: [event] } });
      expect(countWrites(change)).toBe(1);
      expect(countWrites(() => storage.removeDelivered(2))).toBe(0);
      expect(storage.readPending()).toBeUndefined();
      // A guard that restarts now delivers it again.
      expect(open().readPending()).toMatchObject({ entries: [{ seq: 2 }], lastFoundSeq: 2 });
      storage.write(buildIdentity(), 3, { entry: { events: [] } });
      expect(open().readPending()?.entries).toMatchObject([{ seq: 3 }]);
    });
  });

  it("loses an address as soon as it is delivered", async () => {
    await runInGuard((open, { sql }) => {
      const storage = open();
      const personal = { external_id: buildIdentity().externalId, address: "9.9.9.9" };
      storage.write(buildIdentity(), 1, { entry: { events: [{ ...event, personal }] } });
      storage.write(buildIdentity(), 2, { entry: { events: [event] } });
      const readText = () => JSON.stringify(sql.exec("SELECT state FROM live").toArray());
      expect(readText()).toContain("9.9.9.9");
      storage.removeDelivered(1);
      expect(readText()).not.toContain("9.9.9.9");
      expect(open().readPending()?.entries).toMatchObject([{ seq: 2, events: [event] }]);
    });
  });

  it("has further entries in rows of their own until all are delivered, so that the state stays short", async () => {
    await runInGuard((open, { sql }) => {
      const storage = open();
      const write = (version: number) =>
        storage.write(buildIdentity(), version, { entry: { events: [event] } });
      const lengthOfState = () =>
        sql.exec<{ n: number }>("SELECT length(state) AS n FROM live").one().n;
      for (let version = 1; version <= 16; version += 1) write(version);
      const length = lengthOfState();
      for (let version = 17; version <= 60; version += 1) write(version);
      expect(lengthOfState()).toBe(length);
      for (const seen of [storage, open()]) {
        expect(seen.readPending()?.entries.map(({ seq }) => seq)).toEqual(
          Array.from({ length: 50 }, (_, n) => n + 1),
        );
      }
      storage.removeDelivered(50);
      write(61);
      expect(storage.readPending()?.entries).toHaveLength(11);
      storage.removeDelivered(61);
      expect(storage.readPending()).toBeUndefined();
      write(62);
      expect(sql.exec("SELECT * FROM outbox").toArray()).toEqual([]);
      expect(open().readPending()?.entries).toMatchObject([{ seq: 62, events: [event] }]);
    });
  });

  it("has a large entry in a row of its own", async () => {
    await runInGuard((open, { sql }) => {
      const large = { ...event, details: { text: "x".repeat(32_000) } };
      open().write(buildIdentity(), 1, { entry: { events: [large] } });
      expect(sql.exec("SELECT seq FROM outbox").toArray()).toEqual([{ seq: 1 }]);
      expect(open().readPending()?.entries).toMatchObject([{ seq: 1, events: [large] }]);
    });
  });

  it("of an older build, whose entries all have rows, is delivered first", async () => {
    await runInGuard((open, { sql }) => {
      open().write(buildIdentity(), 1);
      sql.exec("CREATE TABLE outbox (seq INTEGER PRIMARY KEY, dispatch TEXT NOT NULL)");
      sql.exec("INSERT INTO outbox VALUES (1, ?)", JSON.stringify({ events: [event] }));
      const storage = open();
      storage.write(buildIdentity(), 2, { entry: { events: [] } });
      for (const seen of [storage, open()]) {
        expect(seen.readPending()?.entries.map(({ seq }) => seq)).toEqual([1, 2]);
      }
      storage.removeDelivered(2);
      expect(open().readPending()).toBeUndefined();
    });
  });
});

describe("The outbox of an erased user", () => {
  it("keeps the events without their personal parts", async () => {
    await runInGuard((open) => {
      const storage = open();
      storage.write(buildIdentity(), 1, {
        entry: {
          events: [event],
          verdict: { assessmentId: "a", verdict: "fraud", source: "feedback", at: now },
        },
      });
      storage.write(buildIdentity({ status: "suspended" }), 2, { entry: { events: [event] } });
      expect(open().readPending()?.entries[1]?.events).toEqual([event]);
      storage.write(buildIdentity({ status: "erased" }), 3);
      const impersonal = { events: [{ ...event, personal: null }] };
      const entries = [1, 2].map((seq) => ({ seq, ...impersonal }));
      expect(open().readPending()?.entries).toMatchObject(entries);
    });
  });

  it("keeps no personal parts in further rows either", async () => {
    await runInGuard((open, { sql }) => {
      const storage = open();
      for (let version = 1; version <= 20; version += 1) {
        storage.write(buildIdentity(), version, { entry: { events: [event] } });
      }
      storage.write(buildIdentity({ status: "erased" }), 21);
      expect(storage.readPending()?.entries).toHaveLength(20);
      const stored = [
        ...sql.exec("SELECT state FROM live"),
        ...sql.exec("SELECT dispatch FROM outbox"),
      ];
      expect(JSON.stringify(stored)).not.toContain("external_id");
    });
  });
});

describe("Sessions", () => {
  const [early, middle, late] = [3, 2, 1].map((ago) =>
    createSession({ id: `s${ago}`, at: now - ago * hour, verdict: null }),
  );
  if (early === undefined || middle === undefined || late === undefined) throw new Error("three");

  it("are read in the order of time and replaced as a whole", async () => {
    await runInGuard((open) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { history: [early, middle] });
      expect(storage.readHistory()).toEqual([early, middle]);
      expect(open().readHistory()).toEqual([early, middle]);
      const confirmed = { ...middle, verdict: "legitimate" } as const;
      storage.write(buildIdentity(), 2, { history: [confirmed, late] });
      for (const seen of [storage, open()]) expect(seen.readHistory()).toEqual([confirmed, late]);
      storage.write(buildIdentity(), 3);
      expect(open().readHistory()).toEqual([confirmed, late]);
      storage.write(buildIdentity(), 4, { history: [] });
      for (const seen of [storage, open()]) expect(seen.readHistory()).toEqual([]);
    });
  });

  it("keep their risk where an older build overlooks it, and are read without one", async () => {
    await runInGuard((open, { sql }) => {
      const risk = { score: 0.31, recommendation: "challenge" as const };
      const older = { ...early, verdict: "legitimate" } as const;
      const assessed = { ...middle, risk, verdict: "legitimate" } as const;
      const unproved = { ...late, risk };
      open().write(buildIdentity(), 1, { history: [older, assessed, unproved] });
      expect(open().readHistory()).toEqual([older, assessed, unproved]);
      const rows = sql.exec("SELECT context FROM sessions ORDER BY at").toArray();
      const [first, second] = rows.map(({ context }) => JSON.parse(String(context)));
      expect(first).toEqual(early.context);
      expect(second).toEqual({ ...assessed.context, risk });
    });
  });

  it("have no row until they have a verdict, and only changed rows are written", async () => {
    await runInGuard((open, { sql }, countWrites) => {
      const storage = open();
      const write = (version: number, history?: readonly KnownSession[]) =>
        countWrites(() =>
          storage.write(buildIdentity(), version, history === undefined ? {} : { history }),
        );
      storage.write(buildIdentity(), 1, { history: [early] });
      expect(sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").toArray()).toEqual([]);
      expect(write(2, [early, middle])).toBe(1);
      expect(open().readHistory()).toEqual([early, middle]);
      const proved = { ...middle, verdict: "legitimate" } as const;
      expect(write(3, [early, proved])).toBe(2);
      expect(write(4)).toBe(1);
      expect(write(5, [early, proved, late])).toBe(1);
      for (const seen of [storage, open()])
        expect(seen.readHistory()).toEqual([early, proved, late]);
      expect(write(6, [proved])).toBe(1);
      expect(write(7, [])).toBe(2);
      expect(open().readHistory()).toEqual([]);
    });
  });

  it("have rows if there are more than 28 without a verdict, so that the state stays short", async () => {
    await runInGuard((open, { sql }, countWrites) => {
      const sessions = Array.from({ length: 30 }, (_, n) =>
        createSession({ id: `s${n}`, at: now - hour + n, verdict: null }),
      );
      const storage = open();
      storage.write(buildIdentity(), 1, { history: sessions.slice(0, 29) });
      expect(sql.exec("SELECT id FROM sessions").toArray()).toEqual([{ id: "s0" }]);
      expect(countWrites(() => storage.write(buildIdentity(), 2, { history: sessions }))).toBe(2);
      for (const seen of [storage, open()]) expect(seen.readHistory()).toEqual(sessions);
      // A session that has a row keeps it.
      open().write(buildIdentity(), 3, { history: sessions.slice(1, 3) });
      expect(sql.exec("SELECT id FROM sessions").toArray()).toEqual([{ id: "s1" }]);
      expect(open().readHistory()).toEqual(sessions.slice(1, 3));
    });
  });

  it("are beside the state in its row, and no part of it after a restart", async () => {
    await runInGuard((open) => {
      const entry = { events: [event] };
      open().write(buildIdentity(), 1, { entry, history: [early] });
      const restarted = open();
      expect(restarted.readState()).toEqual({ state: buildIdentity(), version: 1 });
      restarted.write(restarted.readState()?.state ?? buildIdentity(), 2, { history: [] });
      expect(open().readHistory()).toEqual([]);
    });
  });

  it("of an older build, which all have rows, keep them", async () => {
    await runInGuard((open, { sql }, countWrites) => {
      const proved = { ...early, verdict: "legitimate" } as const;
      open().write(buildIdentity(), 1, { history: [proved] });
      sql.exec(
        "INSERT INTO sessions (id, at, verdict, context) VALUES (?, ?, NULL, ?)",
        ...[middle.id, middle.at, JSON.stringify(middle.context)],
      );
      const storage = open();
      expect(storage.readHistory()).toEqual([proved, middle]);
      const history = [...storage.readHistory(), late];
      expect(countWrites(() => storage.write(buildIdentity(), 2, { history }))).toBe(1);
      for (const seen of [storage, open()]) expect(seen.readHistory()).toEqual(history);
    });
  });

  it("are skipped if they cannot be read, and the others are returned", async () => {
    await runInGuard((open, { sql }) => {
      const proved = { ...early, verdict: "legitimate" } as const;
      open().write(buildIdentity(), 1, { history: [proved, middle, late] });
      sql.exec("UPDATE sessions SET verdict = 'unheard of'");
      sql.exec("UPDATE live SET state = json_set(state, '$.sessions[0].at', 'never')");
      expect(open().readHistory()).toEqual([late]);
    });
  });
});

describe("Stored answers", () => {
  it("are found by their keys, and a later answer replaces an earlier one", async () => {
    await runInGuard((open) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { answer: buildAnswer("a") });
      storage.write(buildIdentity(), 2, { answer: buildAnswer("b") });
      storage.write(buildIdentity(), 3, { answer: { ...buildAnswer("a"), result: '{"ok":true}' } });
      expect(open().answers.find("a")).toEqual({ ...buildAnswer("a"), result: '{"ok":true}' });
      expect(open().answers.find("b")).toEqual(buildAnswer("b"));
      expect(open().answers.find("c")).toBeUndefined();
      expect(
        open()
          .answers.readAll()
          .map(({ key }) => key),
      ).toEqual(["a", "b"]);
    });
  });

  it("get another receipt under the same key", async () => {
    await runInGuard((open) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { answer: buildAnswer("a") });
      storage.write(buildIdentity(), 2, { answer: buildAnswer("b") });
      storage.answers.replaceReceipt("a", "v2:a");
      expect(storage.answers.find("a")).toEqual({ ...buildAnswer("a"), receipt: "v2:a" });
      expect(storage.answers.find("b")).toEqual(buildAnswer("b"));
    });
  });

  it("are deleted when they expire, and the next expiry is returned", async () => {
    await runInGuard((open) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { answer: buildAnswer("late", now + 2) });
      storage.write(buildIdentity(), 2, { answer: buildAnswer("early", now + 1) });
      expect(storage.answers.deleteExpired(now)).toBe(now + 1);
      expect(storage.answers.readAll()).toHaveLength(2);
      expect(storage.answers.deleteExpired(now + 1)).toBe(now + 2);
      expect(storage.answers.readAll().map(({ key }) => key)).toEqual(["late"]);
      expect(storage.answers.deleteExpired(now + 2)).toBeUndefined();
      expect(storage.answers.readAll()).toEqual([]);
    });
  });

  it("number a thousand at most, and the oldest is deleted first", async () => {
    await runInGuard((open) => {
      const storage = open();
      for (let n = 0; n < 1_000; n += 1)
        storage.write(buildIdentity(), n, { answer: buildAnswer(`${n}`, now + n) });
      expect(storage.answers.readAll()).toHaveLength(1_000);
      storage.write(buildIdentity(), 1_000, { answer: buildAnswer("1000", now + 1_000) });
      expect(storage.answers.readAll()).toHaveLength(1_000);
      expect(storage.answers.find("0")).toBeUndefined();
      expect(storage.answers.find("1")).toBeDefined();
      expect(storage.answers.find("1000")).toBeDefined();
    });
  });

  it("take a million characters at most, also after a restart and a write that failed", async () => {
    await runInGuard((open) => {
      const result = "x".repeat(99_990);
      const write = (storage: GuardStorage, n: number, expiresAt = now + n) =>
        storage.write(buildIdentity(), n, {
          answer: { ...buildAnswer(`${n}`, expiresAt), receipt: "0123456789", result },
        });
      const keysOf = (storage: GuardStorage) => storage.answers.readAll().map(({ key }) => key);
      const storage = open();
      for (let n = 1; n <= 9; n += 1) write(storage, n);
      expect(() => write(storage, 10, Number.NaN)).toThrow();
      write(storage, 10);
      expect(keysOf(storage)).toHaveLength(10);
      write(storage, 11);
      expect(keysOf(storage)).toHaveLength(10);
      expect(storage.answers.find("1")).toBeUndefined();
      const restarted = open();
      write(restarted, 12);
      expect(keysOf(restarted)).toHaveLength(10);
      expect(restarted.answers.find("2")).toBeUndefined();
      expect(restarted.answers.deleteExpired(now + 11)).toBe(now + 12);
      for (let n = 13; n <= 21; n += 1) write(restarted, n);
      expect(keysOf(restarted)).toHaveLength(10);
    });
  });

  it("are deleted when the identity is erased", async () => {
    await runInGuard((open) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { answer: buildAnswer("a") });
      storage.write(buildIdentity({ status: "erased" }), 2);
      expect(storage.answers.readAll()).toEqual([]);
    });
  });
});

describe("A cleared guard", () => {
  it("is empty at once and after a restart, and has no alarm", async () => {
    await runInGuard(async (open, raw) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { entry: { events: [event] }, history: [createSession()] });
      await raw.setAlarm(Date.now() + day);
      const cleared = storage.clear();
      expect(storage.readState()).toBeNull();
      expect(storage.readHistory()).toEqual([]);
      await cleared;
      for (const seen of [storage, open()]) {
        expect(seen.readState()).toBeNull();
        expect(seen.readHistory()).toEqual([]);
      }
      expect(await raw.getAlarm()).toBeNull();
    });
  });

  it("keeps its data and throws if the deletion fails", async () => {
    await runInGuard(async (open, raw) => {
      const storage = open();
      storage.write(buildIdentity(), 1, { history: [createSession()] });
      const refusal = vi.spyOn(raw, "deleteAll").mockRejectedValue(new Error("no space"));
      await expect(storage.clear()).rejects.toThrow("no space");
      refusal.mockRestore();
      expect(storage.readState()).toEqual({ state: buildIdentity(), version: 1 });
      expect(storage.readHistory()).toEqual([createSession()]);
    });
  });
});

describe("a table", () => {
  it("is found after it was created, also if it was missing before, and is missing again without the storage", async () => {
    await runInGuard(async (_open, storage) => {
      const table = new SqlTable(storage.sql, "example", "(id INTEGER PRIMARY KEY)");
      expect([table.exists(), table.exists()]).toEqual([false, false]);
      table.create();
      expect([table.exists(), table.exists()]).toEqual([true, true]);
      await storage.deleteAll();
      expect(table.exists()).toBe(false);
    });
  });

  it("may be created again after a transaction that created it failed", async () => {
    await runInGuard((_open, storage) => {
      const table = new SqlTable(storage.sql, "example", "(id INTEGER PRIMARY KEY)");
      expect(table.exists()).toBe(false);
      const fail = () =>
        storage.transactionSync(() => {
          table.create();
          throw new Error("fails");
        });
      expect(fail).toThrow("fails");
      expect(table.exists()).toBe(false);
      table.create();
      expect(table.exists()).toBe(true);
    });
  });
});
