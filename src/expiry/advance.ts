/**
 * The steps of an expiry. Each is bounded, and its progress and its counts are written in one batch of D1 with what it
 * changes there, so that a run may end anywhere: nothing is left out, and nothing is counted twice.
 *
 * The archive is no part of such a batch. So the progress first names an object with the count of what will be removed
 * from it, and then the object is rewritten. A run that finds such an object rewrites it without counting. What the
 * count consists of cannot change in between: D1 does not have these events any more, and the bounds of an expiry do
 * not change.
 */
import {
  listObjects,
  readObject,
  removePersonalParts,
  type WholeObject,
} from "../audit/tree/archive-object.ts";
import { objectNameOf } from "../audit/tree/read-archive.ts";
import type { Database } from "../db/client.ts";
import { isExpired } from "./expired-events.ts";
import {
  changeExpiry,
  type ExpiryChange,
  expireAssessments,
  expireEvents,
  type PersonalExpiry,
} from "./store.ts";

/** The stores of a tenant. */
export interface ExpiryStores {
  readonly db: Database;
  readonly bucket: R2Bucket | undefined;
}

/** What a run may still do. */
export interface Budget {
  /** Batches of D1. An object of the archive counts as one. */
  steps: number;
  /** Events or assessments of one step. */
  readonly rowsPerStep: number;
}

/**
 * Takes steps until the budget is used up or only the end is missing.
 * @returns the progress, and whether only the end is missing
 * @throws StaleReadError if another run is faster; StoreError
 */
export async function advanceExpiry(
  stores: ExpiryStores,
  begun: PersonalExpiry,
  budget: Budget,
): Promise<{ readonly expiry: PersonalExpiry; readonly isComplete: boolean }> {
  const { db } = stores;
  const { rowsPerStep } = budget;
  let expiry = begun;
  while (budget.steps > 0 && expiry.phase !== "done") {
    budget.steps -= 1;
    if (expiry.phase === "events") {
      expiry = await expireEvents(db, expiry, rowsPerStep);
      continue;
    }
    const before = expiry.assessments;
    if (expiry.phase === "archive") {
      const { present, end } = await expireObjects(stores, expiry, budget);
      expiry = end === null ? present : await expireAssessments(db, present, end, rowsPerStep);
    } else {
      expiry = await expireAssessments(db, expiry, {}, rowsPerStep);
    }
    const isComplete = expiry.phase === "assessments" && expiry.assessments - before < rowsPerStep;
    if (isComplete) return { expiry, isComplete };
  }
  return { expiry, isComplete: false };
}

/** What the phase `archive` has done. */
interface ArchiveStep {
  readonly present: PersonalExpiry;
  /** What ends the phase; null if there are further objects. */
  readonly end: ExpiryChange | null;
}

/** Rewrites objects, in the order of leaves, until one has personal parts that have not expired. */
async function expireObjects(
  { db, bucket }: ExpiryStores,
  begun: PersonalExpiry,
  budget: Budget,
): Promise<ArchiveStep> {
  const end = { phase: "assessments", openObject: null } as const;
  if (bucket === undefined) return { present: begun, end };
  const { tenantId } = begun;
  const { firstLeaves, isMore } = await listObjects(bucket, tenantId, begun.nextObject);
  let present = begun;
  let { nextObject } = begun;
  let isLast = !isMore;
  for (const first of firstLeaves) {
    if (budget.steps <= 0) {
      isLast = false;
      break;
    }
    budget.steps -= 1;
    const object = await readObject(bucket, objectNameOf(tenantId, first));
    if (object === undefined) continue;
    const expired = listExpired(object, present);
    if (expired.size > 0 && present.openObject !== first) {
      const { archivedBelow } = present;
      const counted = [...expired].filter((leafIndex) => leafIndex < archivedBelow);
      const events = present.events + counted.length;
      present = await changeExpiry(db, present, { events, nextObject: first, openObject: first });
    }
    const rewritten = await removePersonalParts(bucket, object, ({ leafIndex }) =>
      expired.has(leafIndex),
    );
    if (rewritten.events.some(({ personal }) => personal !== null)) {
      return { present, end: { ...end, nextObject: first } };
    }
    nextObject = first + 1;
  }
  if (isLast) return { present, end: { ...end, nextObject } };
  return { present: await changeExpiry(db, present, { openObject: null, nextObject }), end: null };
}

function listExpired({ events }: WholeObject, expiry: PersonalExpiry): ReadonlySet<number> {
  const expired = events.filter((event) => event.personal !== null && isExpired(event, expiry));
  return new Set(expired.map(({ leafIndex }) => leafIndex));
}
