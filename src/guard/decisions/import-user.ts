/**
 * The import of a user from another system (pure). A plan says what each row leads to and what is new; the guard seals
 * what is new, and the change is applied if the plan still fits the state.
 */
import { maxWindowSteps, type TotpParameters, timeStepOf } from "../../otp/totp.ts";
import {
  countAuthenticators,
  defaultName,
  hasPrimarySecret,
  listUnexpired,
  lockoutForNewSecret,
  maxAuthenticators,
} from "./authenticators.ts";
import { removeDevices } from "./devices.ts";
import { applyChange } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

/** What becomes of rows whose user exists: nothing, or what they have beside it is added. */
export type OnExisting = "skip" | "add";

export interface ImportedSecret extends TotpParameters {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Tells secrets apart that differ in bytes or parameters. */
  readonly fingerprint: string;
  /** Null: it gets one. */
  readonly name: string | null;
}

/** A row, valid in itself. */
export interface ImportedRow {
  readonly status: "active" | "suspended";
  readonly secrets: readonly ImportedSecret[];
  readonly codes: {
    readonly recipes: readonly string[];
    /** Keyed hashes, without duplicates. */
    readonly hashes: readonly string[];
    /** Those among them that were spent in a set that is gone. */
    readonly spent: readonly string[];
  } | null;
}

export interface RowOutcome {
  readonly outcome: "created" | "added" | "skipped" | "failed";
  readonly code?: "user_exists" | "already_imported" | "too_many" | "backup_codes_exist";
}

/** A secret to add: as the primary one if it can be that and there is none. */
export interface PlannedSecret extends ImportedSecret {
  readonly isPrimary: boolean;
}

export interface ImportPlan {
  readonly outcomes: readonly RowOutcome[];
  readonly creates: boolean;
  /** Of a user that is created. */
  readonly status: ImportedRow["status"];
  readonly secrets: readonly PlannedSecret[];
  readonly codes: ImportedRow["codes"];
}

/** What the identity has; undefined for one that does not exist. */
export interface PresentFactors {
  readonly state: IdentityState;
  readonly fingerprints: readonly string[];
}

/** Whether the parameters are those of a primary secret, which are fixed. */
export type CanBePrimary = (secret: ImportedSecret) => boolean;

/** Collects what the rows of one user change, in their order. Each row changes all that it has, or nothing. */
export function planImport(
  present: PresentFactors | undefined,
  rows: readonly ImportedRow[],
  onExisting: OnExisting,
  canBePrimary: CanBePrimary,
  now: number,
): ImportPlan {
  const known = new Set(present?.fingerprints);
  const secrets: PlannedSecret[] = [];
  const held = present === undefined ? 0 : countAuthenticators(present.state, now);
  let hasPrimary = present !== undefined && hasPrimarySecret(present.state, now);
  let codes: ImportedRow["codes"] = null;
  let status: ImportedRow["status"] = "active";
  let exists = present !== undefined;
  const ofPresent = present?.state.backupCodes ?? null;

  const importRow = (row: ImportedRow): RowOutcome => {
    if (exists && onExisting === "skip") return { outcome: "skipped", code: "user_exists" };
    const seen = new Set(known);
    // One that is there already leaves the set as it is.
    const fresh = row.secrets.filter(({ fingerprint }) => seen.size < seen.add(fingerprint).size);
    if (held + secrets.length + fresh.length > maxAuthenticators) {
      return { outcome: "failed", code: "too_many" };
    }
    const kept = codes?.hashes ?? (ofPresent && [...ofPresent.unspent, ...ofPresent.spent]);
    const lacksCodes = row.codes?.hashes.some((hash) => !kept?.includes(hash)) === true;
    if (lacksCodes && kept !== null) return { outcome: "failed", code: "backup_codes_exist" };
    if (exists && fresh.length === 0 && !lacksCodes) {
      return { outcome: "skipped", code: "already_imported" };
    }
    for (const secret of fresh) {
      const isPrimary = !hasPrimary && canBePrimary(secret);
      hasPrimary ||= isPrimary;
      known.add(secret.fingerprint);
      secrets.push({ ...secret, isPrimary });
    }
    if (lacksCodes) codes = row.codes;
    if (exists) return { outcome: "added" };
    exists = true;
    status = row.status;
    return { outcome: "created" };
  };

  const outcomes = rows.map(importRow);
  return { outcomes, creates: exists && present === undefined, status, secrets, codes };
}

/** Whether the plan changes anything. */
export function isChange({ creates, secrets, codes }: ImportPlan): boolean {
  return creates || secrets.length > 0 || codes !== null;
}

/** Whether a plan for one state fits another: it depends on the secrets and on the set of backup codes. */
export function fitsPlan(planned: IdentityState, present: IdentityState): boolean {
  const describe = ({ totp, pendingTotp, authenticators, backupCodes }: IdentityState) =>
    JSON.stringify([
      totp?.sealed,
      pendingTotp?.sealed,
      authenticators.map(({ sealed }) => sealed),
      backupCodes?.keyVersion,
      backupCodes === null ? null : [...backupCodes.unspent, ...backupCodes.spent].toSorted(),
    ]);
  return describe(planned) === describe(present);
}

/** A planned secret in its box. */
export interface SealedSecret extends PlannedSecret {
  readonly id: string;
  readonly sealed: string;
}

/**
 * The newest time step whose code a secret may have had accepted that the identity no longer has: the same secret can
 * come again. A new identity has accepted none.
 */
function lastStepOf({ lastVerifiedAt }: IdentityState, period: number): number | null {
  return lastVerifiedAt === null ? null : timeStepOf(lastVerifiedAt, period) + maxWindowSteps;
}

/**
 * Applies a plan: what is imported is live at once. A new secret enables a disabled TOTP, and removes the known devices,
 * as one that is added does.
 * @param state of a user that is created, the initial one
 */
export function applyImport(
  state: IdentityState,
  call: GuardCall,
  plan: ImportPlan,
  sealed: readonly SealedSecret[],
  keyVersion: number,
): Transition<readonly RowOutcome[]> {
  const { now } = call;
  const { outcomes, creates, status, codes } = plan;
  const unspent = codes?.hashes.filter((hash) => !codes.spent.includes(hash)) ?? [];
  const hasSecrets = sealed.length > 0;
  const removal = removeDevices(state, "otp_configured", () => hasSecrets);
  const primary = sealed.find(({ isPrimary }) => isPrimary);
  const held = countAuthenticators(state, now);
  const added = sealed.flatMap(
    ({ isPrimary, id, name, sealed: box, algorithm, digits, period }, index) =>
      isPrimary
        ? []
        : [
            {
              ...{ id, sealed: box, algorithm, digits, period },
              name: name ?? `${defaultName} ${held + index + 1}`,
              pendingUntil: null,
              lastTimeStep: lastStepOf(state, period),
              lastUsedAt: null,
            },
          ],
  );
  const secretChange: Partial<IdentityState> = hasSecrets
    ? {
        authenticators: [...listUnexpired(state, now), ...added],
        otpDisabled: false,
        lockout: lockoutForNewSecret({ ...state, ...removal.change }),
      }
    : {};
  const entry: EventEntry = {
    action: "otp.imported",
    outcome: "success",
    details: {
      result: creates ? "created" : "added",
      ...(creates && status === "suspended" ? { status } : {}),
      authenticators: sealed.length,
      backup_codes: unspent.length,
    },
  };
  return applyChange(
    state,
    {
      ...(creates ? { status } : {}),
      ...removal.change,
      ...secretChange,
      ...(primary === undefined
        ? {}
        : {
            totp: {
              ...{ sealed: primary.sealed, id: primary.id },
              lastTimeStep: lastStepOf(state, primary.period),
              ...(primary.name === null ? {} : { name: primary.name }),
            },
          }),
      ...(codes === null
        ? {}
        : {
            backupCodes: {
              ...{ keyVersion, unspent, spent: codes.spent },
              imported: { recipes: codes.recipes },
            },
          }),
    },
    [entry, ...removal.entries],
    succeed(outcomes),
    now,
  );
}
