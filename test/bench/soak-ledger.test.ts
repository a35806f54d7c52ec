/** The ledger by which `npm run soak` judges whether the trail has every acknowledged act exactly once. */
import { expect, test } from "vitest";
import { type Act, isFaultless, Ledger, type TrailEvent } from "../../bench/soak/ledger.ts";

const verified: Act = {
  externalId: "ada",
  action: "otp.verified",
  outcome: "success",
  reason: null,
};

function eventOf(n: number, act: Act = verified): TrailEvent {
  return { ...act, id: `event-${n}`, requestId: `request-${n}` };
}

/** A ledger with three acknowledged acts and one request without an answer. */
function createLedger(): Ledger {
  const ledger = new Ledger();
  for (const n of [1, 2, 3]) ledger.acknowledge(`request-${n}`, verified);
  ledger.leaveOpen(verified);
  return ledger;
}

function judge(events: readonly TrailEvent[]) {
  const ledger = createLedger();
  for (const event of events) ledger.enter(event);
  const verdict = ledger.judge();
  return { ...verdict, isComplete: ledger.isComplete, isFaultless: isFaultless(verdict) };
}

const all = [1, 2, 3].map((n) => eventOf(n));

test("a trail with each acknowledged act once is faultless", () => {
  expect(judge(all)).toMatchObject({ found: 3, isComplete: true, isFaultless: true });
});

test("a lost event is missing", () => {
  const verdict = judge(all.slice(1));
  expect(verdict).toMatchObject({ found: 2, isComplete: false, isFaultless: false });
  expect(verdict.missing).toEqual(["otp.verified success of ada (request request-1)"]);
});

test.each([
  ["the same event", eventOf(2)],
  ["another event of the same request", { ...eventOf(2), id: "event-9" }],
])("an act that is filed twice is repeated: %s", (_what, again) => {
  const verdict = judge([...all, again]);
  expect(verdict.repeated).toHaveLength(1);
  expect(verdict).toMatchObject({ isComplete: true, isFaultless: false });
});

test.each([
  ["another outcome", { ...verified, outcome: "failure", reason: "invalid_code" }],
  ["another person", { ...verified, externalId: "bob" }],
  ["another action", { ...verified, action: "session.assessed" }],
] satisfies [string, Act][])("an event must say what the answer said: %s", (_what, act) => {
  const verdict = judge([...all.slice(1), eventOf(1, act)]);
  expect(verdict.different).toHaveLength(1);
  expect(verdict.isFaultless).toBe(false);
});

test("a request without an answer explains one event at most", () => {
  expect(judge([...all, eventOf(8)]).isFaultless).toBe(true);
  const verdict = judge([...all, eventOf(8), eventOf(9)]);
  expect(verdict.unexplained).toEqual(["event-9, otp.verified success of ada (request request-9)"]);
  expect(verdict.isFaultless).toBe(false);
});
