/** Delivery of a guard's outbox to D1: at least once, idempotent, all or nothing. */
import { filed } from "../audit/file.ts";
import { openAuditKey } from "../audit/personal.ts";
import { insertEvents } from "../audit/store.ts";
import { dbFor, runBatch } from "../db/client.ts";
import { configNow } from "../env.ts";
import { saveRecord } from "../identity/store.ts";
import { recountPopulation } from "../sentinel/population/store.ts";
import { forgetAssessments, insertAssessments, saveVerdicts } from "../sentinel/store.ts";
import type { Pending } from "./storage.ts";

/** @throws StoreError: then nothing or everything arrived, and all is delivered again */
export async function deliver(env: Env, pending: Pending, realNow: number): Promise<void> {
  const { state, version, dispatches } = pending;
  const { tenantId, identityId, auditKey } = state;
  const config = configNow(env);
  const db = dbFor(env, tenantId);
  const delivered = { tenantId, identityId, version };
  const erased = state.status === "erased";
  const assessments = dispatches.flatMap(({ assessment }) => assessment ?? []);
  const verdicts = dispatches.flatMap(({ verdict }) => verdict ?? []);
  const events = await filed(
    config.auditSigningKeys,
    dispatches.flatMap((dispatch) => dispatch.events),
    // Of an erased person nothing is filed any more but that it happened.
    auditKey === null ? undefined : await openAuditKey(config.sealingKeys, state, auditKey),
  );
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
    insertEvents(db, tenantId, events),
    ...insertAssessments(db, delivered, assessments),
    ...saveVerdicts(db, delivered, verdicts),
    ...(erased
      ? [forgetAssessments(db, tenantId, identityId), recountPopulation(db, tenantId)]
      : []),
  ]);
}
