/** What a guard writes, read back by another that has nothing in memory. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { AuditEvent } from "../../src/audit/event.ts";
import { GuardStorage, type KeptAnswer } from "../../src/guard/storage.ts";
import { day, hour, createSession } from "../sentinel/example.ts";
import { call, identity, now } from "./decisions/example.ts";

const event: AuditEvent = {
  id: "cccccccccccccccccccccccc",
  tenantId: call.tenantId,
  at: now,
  actor: call.actor,
  action: "user.unlocked",
  target: { type: "identity", id: call.identityId },
  personal: { external_id: identity().externalId },
  outcome: "success",
  reason: null,
  requestId: call.requestId,
  details: {},
};

/** Rows that were written, by the runtime's own count. */
type Written = (work: () => void) => number;

/** Works with the storage of a guard that nobody has asked anything. */
async function inGuard(
  work: (fresh: () => GuardStorage, storage: DurableObjectStorage, written: Written) => unknown,
): Promise<void> {
  const stub = env.GUARD.get(env.GUARD.newUniqueId());
  await runInDurableObject(stub, async (_guard, { storage }) => {
    const written: Written = (workOf) => {
      const changes = () => storage.sql.exec<{ n: number }>("SELECT total_changes() AS n").one().n;
      const before = changes();
      workOf();
      return changes() - before;
    };
    await work(() => new GuardStorage(storage), storage, written);
  });
}

function answer(key: string, forgetAt = now + day): KeptAnswer {
  return {
    key,
    at: now,
    requestId: `request-of-${key}`,
    receipt: `v1:${key}`,
    result: "{}",
    expiresAt: forgetAt,
  };
}

describe("An empty guard", () => {
  it("reads as nothing, and reading or forgetting makes no table", async () => {
    await inGuard((fresh, { sql }) => {
      const storage = fresh();
      expect(storage.readState()).toBeNull();
      expect(storage.readHistory()).toEqual([]);
      expect(storage.readPending()).toBeUndefined();
      expect(storage.findAnswer("a")).toBeUndefined();
      expect(storage.readAnswers()).toEqual([]);
      expect(storage.removeExpiredAnswers(now)).toBeUndefined();
      storage.removeDelivered(1);
      const tables = sql
        .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '%cf%'")
        .toArray();
      expect(tables).toEqual([]);
    });
  });
});

describe("State and outbox", () => {
  it("are written together, and the newest state stands", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      const second = identity({ status: "suspended" });
      storage.write(identity(), 1, { entry: { events: [event] } });
      storage.write(second, 2);
      for (const seen of [storage, fresh()]) {
        expect(seen.readState()).toEqual({ state: second, version: 2 });
        const entries = [{ events: [event] }];
        expect(seen.readPending()).toEqual({ state: second, version: 2, entries, lastSeq: 1 });
      }
    });
  });

  it("deliver fifty changes at a time, the oldest first, and forget only what has arrived", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      for (let version = 1; version <= 51; version += 1) {
        const dispatch = { events: [{ ...event, requestId: `request-${version}` }] };
        storage.write(identity(), version, { entry: dispatch });
      }
      const first = storage.readPending();
      expect(first?.entries).toHaveLength(50);
      expect(first?.entries[0]?.events[0]?.requestId).toBe("request-1");
      expect(first?.lastSeq).toBe(50);
      storage.removeDelivered(50);
      expect(storage.readPending()?.entries[0]?.events[0]?.requestId).toBe("request-51");
      expect(fresh().readPending()?.entries).toHaveLength(1);
      storage.removeDelivered(51);
      expect(storage.readPending()).toBeUndefined();
    });
  });

  it("stay as they were where anything of a change cannot be written", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      storage.write(identity(), 1, { entry: { events: [] } });
      const unwritable = answer("a", Number.NaN);
      const next = {
        dispatch: { events: [event] },
        history: [createSession()],
        answer: unwritable,
      };
      expect(() => storage.write(identity({ status: "suspended" }), 2, next)).toThrow();
      for (const seen of [storage, fresh()]) {
        expect(seen.readState()).toEqual({ state: identity(), version: 1 });
        expect(seen.readPending()?.entries).toEqual([{ events: [] }]);
        expect(seen.readHistory()).toEqual([]);
        expect(seen.readAnswers()).toEqual([]);
      }
    });
  });
});

describe("What waits to be told of an erased person", () => {
  it("is only that it happened", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      storage.write(identity(), 1, {
        entry: {
          events: [event],
          verdict: { assessmentId: "a", verdict: "fraud", source: "feedback", at: now },
        },
      });
      storage.write(identity({ status: "suspended" }), 2, { entry: { events: [event] } });
      expect(fresh().readPending()?.entries[1]?.events).toEqual([event]);
      storage.write(identity({ status: "erased" }), 3);
      const untold = { events: [{ ...event, personal: null }] };
      expect(fresh().readPending()?.entries).toEqual([untold, untold]);
    });
  });
});

describe("Sessions", () => {
  const [early, middle, late] = [3, 2, 1].map((ago) =>
    createSession({ id: `s${ago}`, at: now - ago * hour, verdict: null }),
  );
  if (early === undefined || middle === undefined || late === undefined) throw new Error("three");

  it("are read in the order of time, and replaced as a whole", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      storage.write(identity(), 1, { history: [early, middle] });
      expect(storage.readHistory()).toEqual([early, middle]);
      expect(fresh().readHistory()).toEqual([early, middle]);
      const judged = { ...middle, verdict: "legitimate" } as const;
      storage.write(identity(), 2, { history: [judged, late] });
      for (const seen of [storage, fresh()]) expect(seen.readHistory()).toEqual([judged, late]);
      storage.write(identity(), 3);
      expect(fresh().readHistory()).toEqual([judged, late]);
      storage.write(identity(), 4, { history: [] });
      for (const seen of [storage, fresh()]) expect(seen.readHistory()).toEqual([]);
    });
  });

  it("cost rows only where they changed, and no table where there is none", async () => {
    await inGuard((fresh, { sql }, written) => {
      const storage = fresh();
      storage.write(identity(), 1, { history: [] });
      expect(sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").toArray()).toEqual([]);
      storage.write(identity(), 2, { history: [early, middle] });
      const state = written(() => storage.write(identity(), 3));
      const same = written(() => storage.write(identity(), 4, { history: [early, middle] }));
      expect(same).toBe(state);
      const oneMore = written(() =>
        storage.write(identity(), 5, { history: [early, middle, late] }),
      );
      expect(oneMore).toBe(state + 1);
      const oneLess = written(() => storage.write(identity(), 6, { history: [middle, late] }));
      expect(oneLess).toBe(state + 1);
    });
  });

  it("that cannot be read are forgotten, and the others are not", async () => {
    await inGuard((fresh, { sql }) => {
      fresh().write(identity(), 1, { history: [early, middle] });
      sql.exec("UPDATE sessions SET verdict = 'unheard of' WHERE id = ?", early.id);
      expect(fresh().readHistory()).toEqual([middle]);
    });
  });
});

describe("Kept answers", () => {
  it("are found under their keys, and a later one replaces an earlier", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      storage.write(identity(), 1, { answer: answer("a") });
      storage.write(identity(), 2, { answer: answer("b") });
      storage.write(identity(), 3, { answer: { ...answer("a"), result: '{"ok":true}' } });
      expect(fresh().findAnswer("a")).toEqual({ ...answer("a"), result: '{"ok":true}' });
      expect(fresh().findAnswer("b")).toEqual(answer("b"));
      expect(fresh().findAnswer("c")).toBeUndefined();
      expect(
        fresh()
          .readAnswers()
          .map(({ key }) => key),
      ).toEqual(["a", "b"]);
    });
  });

  it("take another receipt under the same key", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      storage.write(identity(), 1, { answer: answer("a") });
      storage.write(identity(), 2, { answer: answer("b") });
      storage.replaceReceipt("a", "v2:a");
      expect(storage.findAnswer("a")).toEqual({ ...answer("a"), receipt: "v2:a" });
      expect(storage.findAnswer("b")).toEqual(answer("b"));
    });
  });

  it("go when their time has come, which is told beforehand", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      storage.write(identity(), 1, { answer: answer("late", now + 2) });
      storage.write(identity(), 2, { answer: answer("early", now + 1) });
      expect(storage.removeExpiredAnswers(now)).toBe(now + 1);
      expect(storage.readAnswers()).toHaveLength(2);
      expect(storage.removeExpiredAnswers(now + 1)).toBe(now + 2);
      expect(storage.readAnswers().map(({ key }) => key)).toEqual(["late"]);
      expect(storage.removeExpiredAnswers(now + 2)).toBeUndefined();
      expect(storage.readAnswers()).toEqual([]);
    });
  });

  it("are a thousand at most: the oldest goes", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      for (let n = 0; n < 1_000; n += 1)
        storage.write(identity(), n, { answer: answer(`${n}`, now + n) });
      expect(storage.readAnswers()).toHaveLength(1_000);
      storage.write(identity(), 1_000, { answer: answer("1000", now + 1_000) });
      expect(storage.readAnswers()).toHaveLength(1_000);
      expect(storage.findAnswer("0")).toBeUndefined();
      expect(storage.findAnswer("1")).toBeDefined();
      expect(storage.findAnswer("1000")).toBeDefined();
    });
  });

  it("go with the identity", async () => {
    await inGuard((fresh) => {
      const storage = fresh();
      storage.write(identity(), 1, { answer: answer("a") });
      storage.write(identity({ status: "erased" }), 2);
      expect(storage.readAnswers()).toEqual([]);
    });
  });
});

describe("A cleared guard", () => {
  it("is empty at once and after waking, and has no alarm", async () => {
    await inGuard(async (fresh, raw) => {
      const storage = fresh();
      storage.write(identity(), 1, { entry: { events: [event] }, history: [createSession()] });
      await raw.setAlarm(Date.now() + day);
      const cleared = storage.clear();
      expect(storage.readState()).toBeNull();
      expect(storage.readHistory()).toEqual([]);
      await cleared;
      for (const seen of [storage, fresh()]) {
        expect(seen.readState()).toBeNull();
        expect(seen.readHistory()).toEqual([]);
      }
      expect(await raw.getAlarm()).toBeNull();
    });
  });

  it("that could not be cleared tells so, and is what it was", async () => {
    await inGuard(async (fresh, raw) => {
      const storage = fresh();
      storage.write(identity(), 1, { history: [createSession()] });
      const refusal = vi.spyOn(raw, "deleteAll").mockRejectedValue(new Error("no space"));
      await expect(storage.clear()).rejects.toThrow("no space");
      refusal.mockRestore();
      expect(storage.readState()).toEqual({ state: identity(), version: 1 });
      expect(storage.readHistory()).toEqual([createSession()]);
    });
  });
});
