import { describe, expect, test } from "vitest";
import { importSessions } from "../../../src/guard/decisions/import-sessions.ts";
import { type History, selectLearned } from "../../../src/sentinel/history.ts";
import { createSession, day } from "../../sentinel/example.ts";
import { buildIdentity, call, describeEntries, now } from "./example.ts";

const risk = { score: 0.05, recommendation: "allow" } as const;

function past(id: string, daysAgo: number) {
  return createSession({ id, at: now - daysAgo * day, verdict: null, risk });
}

function importInto(history: History, ...sessions: History) {
  const transition = importSessions(buildIdentity(), call, history, sessions);
  const { result } = transition;
  return { ...transition, outcomes: result.ok ? result.value : [] };
}

describe("An import of past sessions", () => {
  const confirmed = createSession({ id: "c", at: now - 3 * day });

  test("makes them history that is learned from, beside the confirmed sessions", () => {
    const {
      state,
      history = [],
      entries,
      outcomes,
    } = importInto([confirmed], past("a", 5), past("b", 9));
    expect(outcomes).toEqual(["imported", "imported"]);
    expect(selectLearned(history, now).map(({ id }) => id)).toEqual(["b", "a", "c"]);
    expect(describeEntries(entries)).toEqual(["session.imported success"]);
    expect(entries[0]?.details).toEqual({ sessions: 2 });
    expect(state).toEqual(buildIdentity());
  });

  test("changes nothing when it is repeated, whatever became of the session since", () => {
    const { history = [] } = importInto([confirmed], past("a", 5));
    const judged = history.map((one) =>
      one.id === "a" ? { ...one, verdict: "fraud" as const } : one,
    );
    for (const kept of [history, judged]) {
      const repeated = importInto(kept, past("a", 5));
      expect(repeated).toMatchObject({ outcomes: ["known"], entries: [] });
      expect(repeated.history).toBeUndefined();
    }
  });

  test("counts a session once that it names twice", () => {
    const { history = [], entries, outcomes } = importInto([], past("a", 5), past("a", 5));
    expect(outcomes).toEqual(["imported", "imported"]);
    expect(history).toHaveLength(1);
    expect(entries[0]?.details).toEqual({ sessions: 1 });
  });

  test("is bounded, and takes the place of no session that was confirmed, reported or waits", () => {
    const own = [
      ...Array.from({ length: 100 }, (_, n) =>
        createSession({ id: `c${n}`, at: now - (n + 2) * day }),
      ),
      ...Array.from({ length: 20 }, (_, n) =>
        createSession({ id: `f${n}`, at: now - (n + 2) * day, verdict: "fraud" }),
      ),
      ...Array.from({ length: 50 }, (_, n) =>
        createSession({ id: `w${n}`, at: now - n, verdict: null }),
      ),
    ].toSorted((left, right) => left.at - right.at);
    const many = Array.from({ length: 100 }, (_, n) => past(`i${n}`, 1.5 + n * 0.7));
    const { history = [], outcomes } = importInto(own, ...many);
    const added = history.filter(({ id }) => id.startsWith("i"));
    expect(history.filter(({ id }) => !id.startsWith("i"))).toEqual(own);
    expect(added.length).toBeLessThanOrEqual(12);
    expect(outcomes.filter((one) => one === "imported")).toHaveLength(added.length);
    expect(outcomes.filter((one) => one === "surplus")).toHaveLength(100 - added.length);
  });
});
