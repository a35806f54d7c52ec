/** A bound on how late D1 may carry out a batch. */
import { sql } from "drizzle-orm";
import { type Database, requireConditions, type Statement, tooLate } from "./client.ts";
import { prepareStatement } from "./prepared.ts";

/** D1 may carry out a batch after its caller has given up. Later than this, it does not. */
const maxLatenessMs = 60 * 60 * 1000;

/**
 * A statement that makes D1 refuse its whole batch if it is applied much later than it was sent. Versions protect
 * records only as long as D1 has them, or their tombstones, and ids protect events until the archive has them.
 * @param sentAt real time, Unix ms
 */
export function refuseIfLate(db: Database, sentAt: number): Statement {
  return requireTimeBefore(db, { endsAtSeconds: Math.ceil((sentAt + maxLatenessMs) / 1000) });
}

const requireTimeBefore = prepareStatement<{ readonly endsAtSeconds: number }>((db, value) =>
  requireConditions(db, [sql`unixepoch() <= ${value("endsAtSeconds")}`, tooLate]),
);
