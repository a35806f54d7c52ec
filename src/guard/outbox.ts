/** Delivery of a guard's outbox to D1: at least once, idempotent, all or nothing. */
import { forgetName, insertEvents } from "../audit/store.ts";
import { dbFor, runBatch } from "../db/client.ts";
import { saveRecord } from "../identity/store.ts";
import { forgetAssessments, insertAssessments } from "../sentinel/store.ts";
import type { Pending } from "./storage.ts";

/** @throws StoreError: then nothing or everything arrived, and all is delivered again */
export async function deliver(
  env: Pick<Env, "DB">,
  pending: Pending,
  realNow: number,
): Promise<void> {
  const { state, version, dispatches } = pending;
  const { tenantId, identityId } = state;
  const db = dbFor(env, tenantId);
  const erased = state.status === "erased";
  const assessments = dispatches.flatMap(({ assessment }) => assessment ?? []);
  await runBatch(db, [
    saveRecord(db, {
      tenantId,
      id: identityId,
      externalId: erased ? null : state.externalId,
      status: state.status,
      lockedUntil: state.lockout.lockedUntil,
      createdAt: state.createdAt,
      // A tombstone's life is real time, whatever clock the erasing request ran at.
      updatedAt: erased ? realNow : state.updatedAt,
      version,
      // The last hour's attempts are worth nothing after a restore.
      state: erased ? null : JSON.stringify({ ...state, recent: [] }),
    }),
    ...insertEvents(
      db,
      dispatches.flatMap(({ events }) => events),
    ),
    ...insertAssessments(db, assessments),
    ...(erased
      ? [forgetName(db, tenantId, identityId), forgetAssessments(db, tenantId, identityId)]
      : []),
  ]);
}
