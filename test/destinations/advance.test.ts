/** The transitions of a follower, and what they promise for any sequence of outcomes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  adopt,
  beginAt,
  compareWithAnchor,
  type FollowerState,
  recordDelivery,
  settle,
} from "../../src/destinations/advance.ts";
import { type Anchor, addAnchor } from "../../src/destinations/anchors.ts";
import { findWebhookDelay } from "../../src/destinations/retry-schedule.ts";

function eventAt(leafIndex: number): Anchor {
  return { leafIndex, id: `event ${leafIndex}` };
}

const beginning = { startLeaf: 0, startedAt: 1, updatedAt: 1 };

describe("Settling", () => {
  it("in any order moves the cursor past settled leaves only, and in the end past all", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(30).keys()], { minLength: 30 }), (order) => {
        const page = [...Array(30).keys()].map(eventAt);
        const settled = new Set<number>();
        let state: FollowerState = beginAt(beginning);
        for (const leaf of order) {
          state = settle(state, page, [leaf]);
          settled.add(leaf);
          const firstOpen = page.find(({ leafIndex }) => !settled.has(leafIndex))?.leafIndex ?? 30;
          expect(state.cursor).toBe(firstOpen);
          expect(state.settled).toEqual(
            [...settled].filter((one) => one > firstOpen).toSorted((a, b) => a - b),
          );
        }
        expect(state.anchors[0]).toEqual(eventAt(29));
      }),
    );
  });

  it("goes over leaves that are no longer in the log", () => {
    const state = settle(beginAt(beginning), [eventAt(7), eventAt(9)], [7, 9]);
    expect(state.cursor).toBe(10);
  });
});

describe("Anchors", () => {
  it("are few, keep the first and the newest, and leave no gap that is longer than the way back", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 400 }),
        (steps) => {
          let anchors: readonly Anchor[] = [];
          let leaf = 0;
          const passed: number[] = [];
          for (const step of steps) {
            leaf += step;
            passed.push(leaf);
            anchors = addAnchor(anchors, eventAt(leaf));
          }
          expect(anchors.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(leaf + 1)));
          expect(anchors[0]?.leafIndex).toBe(leaf);
          expect(anchors.at(-1)?.leafIndex).toBe(passed[0]);
          const order = anchors.map(({ leafIndex }) => leafIndex);
          expect(order).toEqual(order.toSorted((a, b) => b - a));
        },
      ),
    );
  });

  it("tell another event at the place of the last one from a place that is gone", () => {
    const state = settle(beginAt(beginning), [eventAt(0), eventAt(1)], [0, 1]);
    expect(compareWithAnchor(state, [eventAt(1), eventAt(2)])).toBe("intact");
    expect(compareWithAnchor(state, [{ leafIndex: 1, id: "other" }])).toBe("replaced");
    expect(compareWithAnchor(state, [])).toBe("unknown");
    // It has left the log after its retention.
    expect(compareWithAnchor(state, [eventAt(5)])).toBe("intact");
    // A restored log may end before the place at which it has begun.
    expect(compareWithAnchor(beginAt({ ...beginning, startLeaf: 9 }), [])).toBe("unknown");
  });
});

describe("The retries of a webhook", () => {
  it("are nine, each within a tenth of its time, whatever the random number is", () => {
    const expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (const random of [0, 0.5, 0.999]) {
      for (const [index, seconds] of expected.entries()) {
        const delay = findWebhookDelay(index + 1, random) ?? 0;
        expect(Math.abs(delay / 1000 - seconds)).toBeLessThanOrEqual(seconds / 10);
      }
      expect(findWebhookDelay(10, random)).toBeUndefined();
    }
  });

  it("end with a success, which forgets the failures", () => {
    const failed = { at: 1_000, milliseconds: 10, status: 500, error: "status" } as const;
    const delivery = { ...eventAt(3), attempts: 0 };
    const first = recordDelivery(beginAt(beginning), delivery, failed, 0.5);
    expect(first.waiting).toMatchObject({ attempts: 1, dueAt: 6_010 });
    expect(first.state).toMatchObject({
      failingSince: 1_000,
      failures: 1,
      failed: 1,
      delivered: 0,
    });
    const delivered = { ...failed, at: 7_000, status: 200, error: null };
    const second = recordDelivery(first.state, { ...delivery, attempts: 1 }, delivered, 0.5);
    expect(second.waiting).toBeUndefined();
    expect(second.state).toMatchObject({
      failingSince: null,
      failures: 0,
      failed: 1,
      delivered: 1,
    });
  });
});

it("An older row, of a D1 that was restored, moves no cursor and forgets no failure", () => {
  const state = { ...beginAt({ startLeaf: 5, startedAt: 10, updatedAt: 10 }), cursor: 50 };
  const older = { startLeaf: 0, startedAt: 4, updatedAt: 4 };
  expect(adopt(state, older)).toEqual({ state, isMoved: false });
  const replayed = adopt(state, { startLeaf: 7, startedAt: 11, updatedAt: 11 });
  expect(replayed).toMatchObject({ isMoved: true, state: { cursor: 7 } });
});
