/** Sends rows to the service, with more patience than the SDK has for a single call. */
import { setTimeout as wait } from "node:timers/promises";
import { type EdgeIdp, IdpError, type ImportedUser } from "@edge-idp/sdk";
import { Failure } from "../failure.ts";
import type { ImportRow } from "./entry.ts";
import type { SendRows } from "./import-users.ts";
import type { RowResult } from "./report.ts";

const timeoutMs = 60_000;
/** Of the SDK, within seconds. */
const maxRetries = 5;
/** Beyond that, for minutes. */
const maxWaits = 8;
const firstWaitSeconds = 2;
const maxWaitSeconds = 120;

export interface ImportSettings {
  readonly onExisting: "skip" | "add";
  readonly isDryRun: boolean;
}

function toSent({
  external_id,
  status,
  authenticators,
  backup_codes: codes,
}: ImportRow): ImportedUser {
  return {
    ...{ external_id, status, authenticators: [...authenticators] },
    ...(codes === undefined
      ? {}
      : {
          backup_codes:
            "hashes" in codes ? { scheme: codes.scheme, hashes: [...codes.hashes] } : [...codes],
        }),
  };
}

function isTemporary(error: unknown): error is IdpError {
  return (
    error instanceof IdpError && (error.status === 429 || error.status >= 500 || error.status === 0)
  );
}

function hasUnavailable(results: readonly RowResult[]): boolean {
  return results.some(({ outcome, code }) => outcome === "failed" && code === "unavailable");
}

/**
 * Sends the same rows again while the service, or the store of a user, is out of reach: rows that are done answer as the
 * first time.
 *
 * @param onWait called before each wait, with its length in seconds
 */
export function createSendRows(
  idp: EdgeIdp,
  { onExisting, isDryRun }: ImportSettings,
  onWait: (seconds: number) => void,
): SendRows {
  const settings = { on_existing: onExisting, dry_run: isDryRun };
  return async (rows, idempotencyKey) => {
    const users = rows.map(toSent);
    const options = { idempotencyKey, timeoutMs, maxRetries };
    for (let waits = 0; ; waits += 1) {
      let seconds = Math.min(maxWaitSeconds, firstWaitSeconds * 2 ** waits);
      try {
        const results = await idp.users.import(users, settings, options);
        if (results.length !== rows.length) {
          throw new Failure("The service answered with another number of results than rows.");
        }
        if (waits === maxWaits || !hasUnavailable(results)) return results;
      } catch (error) {
        if (!isTemporary(error) || waits === maxWaits) throw error;
        seconds = Math.max(seconds, error.retryAfterSeconds ?? 0);
      }
      onWait(seconds);
      await wait(seconds * 1000);
    }
  };
}
