/**
 * The state of a follower and its transitions (pure). A leaf is settled once the follower need not look at it again:
 * its event was delivered, is not wanted, or waits for a retry. The cursor is the first leaf that is not settled.
 */
import { type Anchor, addAnchor } from "./anchors.ts";
import type { DisabledReason, StoredDestination } from "./destination.ts";
import { type Attempt, isDelivered } from "./request/attempt.ts";
import { computeStreamDelay, findWebhookDelay, maxFailingMs } from "./retry-schedule.ts";

/** A webhook with more deliveries that wait for a retry looks at no further leaf. */
export const maxWaiting = 1_000;
/** The receiver says that it is gone for good (Standard Webhooks). */
const goneStatus = 410;

/** Times are real, Unix ms. */
export interface FollowerState {
  /** When the tenant has set the cursor last, and when it has changed the destination last, as far as it is known here. */
  readonly startedAt: number;
  readonly updatedAt: number;
  readonly cursor: number;
  /** Settled leaves above the cursor. */
  readonly settled: readonly number[];
  /** Newest first. */
  readonly anchors: readonly Anchor[];
  /** Deliveries of events, failed attempts, and events that a webhook has given up after the last attempt. */
  readonly delivered: number;
  readonly failed: number;
  readonly givenUp: number;
  /** When the first attempt failed since one succeeded or the tenant changed the destination; null: none failed. */
  readonly failingSince: number | null;
  /** Consecutive attempts that failed. */
  readonly failures: number;
  /** A stream makes no attempt before this time. */
  readonly retryAt: number;
  /**
   * The leaf after the last one of the batch that a stream is sending; null: none. It is stored before the batch is
   * sent, so that an attempt whose outcome is not known is repeated with the same events.
   */
  readonly sendingBelow: number | null;
  /** Set until D1 has it. Nothing is sent meanwhile. */
  readonly disabling: { readonly reason: DisabledReason; readonly at: number } | null;
}

/** A delivery of a webhook that waits for a retry. */
export interface Waiting extends Anchor {
  /** Attempts that have failed. */
  readonly attempts: number;
  /** When the next one is due. */
  readonly dueAt: number;
}

type Beginning = Pick<StoredDestination, "startLeaf" | "startedAt" | "updatedAt">;

export function beginAt({ startLeaf, startedAt, updatedAt }: Beginning): FollowerState {
  return {
    startedAt,
    updatedAt,
    cursor: startLeaf,
    settled: [],
    anchors: [],
    delivered: 0,
    failed: 0,
    givenUp: 0,
    failingSince: null,
    failures: 0,
    retryAt: 0,
    sendingBelow: null,
    disabling: null,
  };
}

/** Sets the cursor to a leaf: all events from there on are sent, also those that were sent before. */
export function moveCursor(state: FollowerState, leafIndex: number): FollowerState {
  const anchors = state.anchors.filter((anchor) => anchor.leafIndex < leafIndex);
  return { ...state, cursor: leafIndex, settled: [], anchors, sendingBelow: null };
}

/**
 * Adopts what the tenant has decided since. An older row, of a D1 that was restored, changes nothing.
 * @returns the state, and whether the cursor was set
 */
export function adopt(
  state: FollowerState,
  { startLeaf, startedAt, updatedAt }: Beginning,
): { readonly state: FollowerState; readonly isMoved: boolean } {
  const isMoved = startedAt > state.startedAt;
  const moved = isMoved ? { ...moveCursor(state, startLeaf), startedAt } : state;
  if (updatedAt <= state.updatedAt) return { state: moved, isMoved };
  // What failed before the change says nothing about the destination as it is now.
  const forgotten = { failingSince: null, failures: 0, retryAt: 0, disabling: null };
  return { state: { ...moved, ...forgotten, updatedAt }, isMoved };
}

/** What a page says about the leaf before the cursor: the event that was there, another one, or nothing at all. */
export type Continuity = "intact" | "replaced" | "unknown";

/** @param page the events from the leaf before the cursor on */
export function compareWithAnchor(
  { cursor, anchors }: FollowerState,
  page: readonly Anchor[],
): Continuity {
  const [anchor] = anchors;
  const [first] = page;
  if (first === undefined) return "unknown";
  if (anchor?.leafIndex !== cursor - 1) return "intact";
  // An event that left the log after its retention is not compared.
  if (first.leafIndex !== anchor.leafIndex) return "intact";
  return first.id === anchor.id ? "intact" : "replaced";
}

/**
 * Settles leaves, and moves the cursor past those that are settled without a gap.
 * @param page the events around the cursor, in the order of the log; leaves between them do not exist any more
 */
export function settle(
  state: FollowerState,
  page: readonly Anchor[],
  leaves: readonly number[],
): FollowerState {
  const settled = new Set([...state.settled, ...leaves]);
  let { cursor } = state;
  let passed: Anchor | undefined;
  for (const event of page) {
    if (event.leafIndex < cursor) continue;
    if (!settled.has(event.leafIndex)) break;
    passed = event;
    cursor = event.leafIndex + 1;
  }
  return {
    ...state,
    cursor,
    settled: [...settled].filter((leaf) => leaf >= cursor).toSorted((a, b) => a - b),
    anchors: passed === undefined ? state.anchors : addAnchor(state.anchors, passed),
  };
}

function countAttempt(state: FollowerState, attempt: Attempt): FollowerState {
  if (isDelivered(attempt)) return { ...state, failingSince: null, failures: 0, retryAt: 0 };
  const failingSince = state.failingSince ?? attempt.at;
  return { ...state, failingSince, failures: state.failures + 1, failed: state.failed + 1 };
}

export interface DeliveryOutcome {
  readonly state: FollowerState;
  /** The delivery as it waits for a retry; undefined if it was delivered or is given up. */
  readonly waiting: Waiting | undefined;
}

/**
 * Records an attempt of a webhook to deliver an event.
 * @param delivery the event, with the attempts that had failed before
 * @param random from 0 to 1
 */
export function recordDelivery(
  state: FollowerState,
  delivery: Pick<Waiting, "leafIndex" | "id" | "attempts">,
  attempt: Attempt,
  random: number,
): DeliveryOutcome {
  const counted = countAttempt(state, attempt);
  const { leafIndex, id } = delivery;
  if (isDelivered(attempt)) {
    return { state: { ...counted, delivered: counted.delivered + 1 }, waiting: undefined };
  }
  const attempts = delivery.attempts + 1;
  const endedAt = attempt.at + attempt.milliseconds;
  const reason = findDisabledReason(counted, attempt);
  const disabled =
    reason === undefined ? counted : { ...counted, disabling: { reason, at: endedAt } };
  const delayMs = findWebhookDelay(attempts, random);
  return delayMs === undefined
    ? { state: { ...disabled, givenUp: disabled.givenUp + 1 }, waiting: undefined }
    : { state: disabled, waiting: { leafIndex, id, attempts, dueAt: endedAt + delayMs } };
}

function findDisabledReason(
  { failingSince }: FollowerState,
  { status, at }: Attempt,
): DisabledReason | undefined {
  if (status === goneStatus) return "gone";
  return failingSince !== null && at - failingSince >= maxFailingMs ? "failing" : undefined;
}

/**
 * Records an attempt of a stream to send consecutive events.
 * @param batch the events that the attempt covers
 * @param random from 0 to 1
 */
export function recordBatch(
  state: FollowerState,
  batch: readonly Anchor[],
  attempt: Attempt,
  random: number,
): FollowerState {
  const counted = countAttempt(state, attempt);
  if (!isDelivered(attempt)) {
    const endedAt = attempt.at + attempt.milliseconds;
    const retryAt = endedAt + computeStreamDelay(counted.failures, random);
    return { ...counted, retryAt };
  }
  const leaves = batch.map(({ leafIndex }) => leafIndex);
  const sent = settle({ ...counted, sendingBelow: null }, batch, leaves);
  return { ...sent, delivered: sent.delivered + batch.length };
}
