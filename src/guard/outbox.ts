/** Delivery of a guard's outbox to D1: at least once, idempotent, all or nothing. */
import { filed } from "../audit/file.ts";
import { openAuditKey } from "../audit/personal.ts";
import { insertEvents } from "../audit/store.ts";
import { type Database, dbFor, runBatch, type Statement } from "../db/client.ts";
import { configNow } from "../env.ts";
import { saveRecord } from "../identity/store.ts";
import { requireFittingKeys } from "../keys/fit.ts";
import { reviveKeys } from "../keys/store.ts";
import { recountPopulation } from "../sentinel/population/store.ts";
import { forgetAssessments, insertAssessments, saveVerdicts } from "../sentinel/store.ts";
import { sealingVersionsOf } from "./reseal.ts";
import type { IdentityState } from "./state.ts";
import type { Pending } from "./storage.ts";

/** The keys that what D1 gets is under must not count as out of use; an older build may write this. */
function revivedKeys(db: Database, state: IdentityState): Statement[] {
  const sealing = [...new Set(sealingVersionsOf(state))];
  const set = state.backupCodes;
  const hashing = set === null ? [] : [set.keyVersion];
  return [
    ...(sealing.length === 0 ? [] : [reviveKeys(db, "sealing", sealing)]),
    ...(hashing.length === 0 ? [] : [reviveKeys(db, "backup_codes", hashing)]),
  ];
}

/** @throws StoreError: then nothing or everything arrived, and all is delivered again */
export async function deliver(env: Env, pending: Pending, realNow: number): Promise<void> {
  const { state, version, dispatches } = pending;
  const { tenantId, identityId, auditKey } = state;
  const config = configNow(env);
  await requireFittingKeys(env, config, realNow);
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
      // Attempts of the last hour and minute are worth nothing after a restore.
      state: erased ? null : JSON.stringify({ ...state, recent: [], rates: {} }),
    }),
    insertEvents(db, tenantId, events),
    ...insertAssessments(db, delivered, assessments),
    ...saveVerdicts(db, delivered, verdicts),
    ...revivedKeys(db, state),
    ...(erased
      ? [forgetAssessments(db, tenantId, identityId), recountPopulation(db, tenantId)]
      : []),
  ]);
}
