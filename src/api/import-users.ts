/**
 * The work of `POST /v1/idp/users/import`. Each row has its own result, and each user is one call of a guard, which
 * decides on all rows of the user at once. A row that was imported already changes nothing, so after a fault the same
 * request can be sent again.
 */
import { mapConcurrently } from "../concurrent.ts";
import { identityIdOf } from "../crypto/id.ts";
import { runInTenantDb } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { askGuard, type GuardCaller } from "../guard/client.ts";
import type { OnExisting, RowOutcome } from "../guard/decisions/import-user.ts";
import type { SentRow } from "../guard/imports.ts";
import { findRecordVersions } from "../identity/store.ts";
import { readRow, rowProblems, type SentUser } from "./import-row.ts";

/** Calls of guards at once. */
const maxConcurrent = 10;

export interface RowResult {
  readonly external_id: string;
  readonly outcome: RowOutcome["outcome"];
  readonly code?: string;
  readonly message?: string;
}

type Result = Omit<RowResult, "external_id">;

const skipped = {
  user_exists: "The user exists; with on_existing add, what the row has beside it is added.",
  already_imported: "The user has everything that the row has.",
} as const;

/** The rows of one user that can be imported, with their positions in the request. */
interface UserRows {
  readonly externalId: string;
  readonly identityId: string;
  readonly rows: readonly { readonly index: number; readonly row: SentRow }[];
}

function showOutcome({ outcome, code }: RowOutcome): Result {
  if (code === undefined) return { outcome };
  const message =
    code === "user_exists" || code === "already_imported" ? skipped[code] : rowProblems[code];
  return { outcome, code, message };
}

/** Whether the error is about the request and not about one user. */
function concernsRequest({ code }: AppError): boolean {
  return code === "idempotency_in_progress" || code === "idempotency_mismatch";
}

function fail({ code, message }: AppError): Result {
  return { outcome: "failed", code, message };
}

async function groupByUser(
  tenantId: string,
  sent: readonly SentUser[],
  found: Map<number, Result>,
): Promise<readonly UserRows[]> {
  const valid = sent.flatMap((user, index) => {
    const read = readRow(user);
    if ("row" in read) return [{ externalId: user.external_id, index, row: read.row }];
    found.set(index, { outcome: "failed", code: read.problem, message: read.message });
    return [];
  });
  const byUser = [...Map.groupBy(valid, ({ externalId }) => externalId)];
  return await Promise.all(
    byUser.map(async ([externalId, rows]) => ({
      externalId,
      identityId: await identityIdOf(tenantId, externalId),
      rows,
    })),
  );
}

/**
 * Imports each row that can be imported. @returns the results in the order of the rows
 * @throws AppError `idempotency_mismatch`, `idempotency_in_progress`; StoreError before anything is imported
 */
export async function importUsers(
  call: GuardCaller,
  sent: readonly SentUser[],
  onExisting: OnExisting,
  isDryRun: boolean,
): Promise<RowResult[]> {
  const { tenantId } = call.caller;
  const found = new Map<number, Result>();
  const users = await groupByUser(tenantId, sent, found);
  const ids = users.map(({ identityId }) => identityId);
  const versions = await runInTenantDb(call.env, tenantId, (db) =>
    findRecordVersions(db, tenantId, ids),
  );
  await mapConcurrently(users, maxConcurrent, async ({ externalId, identityId, rows }) => {
    const sentRows = rows.map(({ row }) => row);
    const record = versions.get(identityId) ?? null;
    const ofUser = await askGuard(call, identityId, (guard, guardCall) =>
      guard.importUser(guardCall, { externalId, rows: sentRows, onExisting, isDryRun }, { record }),
    ).catch((error: unknown) => {
      if (!(error instanceof AppError) || concernsRequest(error)) throw error;
      return error;
    });
    for (const [position, { index }] of rows.entries()) {
      const outcome = ofUser instanceof AppError ? undefined : ofUser[position];
      if (ofUser instanceof AppError) found.set(index, fail(ofUser));
      else if (outcome !== undefined) found.set(index, showOutcome(outcome));
    }
  });
  return sent.map(({ external_id }, index) => {
    const result = found.get(index) ?? fail(new AppError("unavailable"));
    return { external_id, ...result };
  });
}
