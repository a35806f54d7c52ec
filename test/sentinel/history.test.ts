import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addSession,
  type History,
  type KnownSession,
  maxSessionAgeMs,
  selectByVerdict,
} from "../../src/sentinel/history.ts";
import { createSession, day, now, usualContext } from "./example.ts";

const sessions: fc.Arbitrary<KnownSession> = fc.record({
  id: fc.nat(400).map(String),
  at: fc.integer({ min: now - 2 * maxSessionAgeMs, max: now + day }),
  verdict: fc.constantFrom("legitimate", "fraud", null),
  context: fc.constant(usualContext),
});

function addAll(all: readonly KnownSession[], at = now): History {
  return all.reduce<History>((history, one) => addSession(history, one, at), []);
}

function count(history: History, verdict: KnownSession["verdict"]): number {
  return history.filter((one) => one.verdict === verdict).length;
}

test("a selection by verdict contains only the sessions with that verdict", () => {
  const history = addAll([
    createSession({ id: "a", verdict: null }),
    createSession({ id: "b" }),
    createSession({ id: "c", verdict: "fraud" }),
  ]);
  expect(selectByVerdict(history, "legitimate", now).map(({ id }) => id)).toEqual(["b"]);
  expect(selectByVerdict(history, "fraud", now).map(({ id }) => id)).toEqual(["c"]);
});

test("a session keeps only its last verdict", () => {
  const history = addAll([
    createSession({ verdict: null }),
    createSession({ verdict: "legitimate" }),
    createSession({ verdict: "fraud" }),
  ]);
  expect(history).toEqual([createSession({ verdict: "fraud" })]);
});

test("a confirmed session expires after half a year, an unconfirmed one after a day", () => {
  const old = createSession({ id: "old", at: now - maxSessionAgeMs });
  const young = createSession({ id: "young", at: now - maxSessionAgeMs + 1 });
  const expired = createSession({ id: "expired", at: now - day, verdict: null });
  const fresh = createSession({ id: "fresh", at: now - day + 1, verdict: null });
  expect(addAll([old, young, expired, fresh]).map(({ id }) => id)).toEqual(["young", "fresh"]);
  // A session that expired since the last write does not count either.
  expect(selectByVerdict([old, young], "legitimate", now).map(({ id }) => id)).toEqual(["young"]);
});

test("a session in the future is not part of the history yet", () => {
  expect(selectByVerdict([createSession({ at: now + 1 })], "legitimate", now)).toEqual([]);
});

test("the history keeps the newest sessions of each verdict, sorted by time, whatever order they arrive in", () => {
  fc.assert(
    fc.property(fc.array(sessions, { maxLength: 400 }), (all) => {
      const history = addAll(all);
      expect(count(history, "legitimate")).toBeLessThanOrEqual(100);
      expect(count(history, "fraud")).toBeLessThanOrEqual(20);
      expect(count(history, null)).toBeLessThanOrEqual(50);
      const times = history.map(({ at }) => at);
      expect(times).toEqual(times.toSorted((left, right) => left - right));
      expect(new Set(history.map(({ id }) => id)).size).toBe(history.length);
    }),
  );
});

test("many unconfirmed sessions do not displace a confirmed one", () => {
  const flood = Array.from({ length: 300 }, (_, index) =>
    createSession({ id: `f${index}`, at: now - index, verdict: null }),
  );
  expect(selectByVerdict(addAll([createSession(), ...flood]), "legitimate", now)).toEqual([
    createSession(),
  ]);
});
