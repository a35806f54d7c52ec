/**
 * The form in which D1 keeps the state of an identity (pure): JSON without what the row of the record has in
 * other columns, without fields that have their initial value, and with the hashes of backup codes joined in
 * base64url. A row of more than 1,002 bytes would take a page of 4 KB for itself, because the table has no row
 * ids (https://www.sqlite.org/fileformat2.html#b_tree_pages).
 *
 * Older builds stored the whole state as the guard does. SQL reads the paths of sealed boxes and of the version
 * of the backup codes' key, which are the same in both forms.
 */
import { z } from "zod";
import { isDigest, restoreHex, shortDigestLength, shortenHex } from "../../crypto/short-hex.ts";
import type { KnownDevice } from "./device-state.ts";
import { noPasskeys } from "./passkey-state.ts";
import { hasUnreported, omitSession } from "./refusals.ts";
import { type IdentityState, type StoredRefusals, splitRefusals, stateSchema } from "./state.ts";

type Hashes = NonNullable<IdentityState["backupCodes"]>["spent"];

/** Joins hashes to one text; an array stays if one of them is not a digest, which no build has stored. */
function joinHashes(hashes: Hashes): string | Hashes {
  return hashes.every(isDigest) ? hashes.map(shortenHex).join("") : hashes;
}

function splitHashes(stored: string | Hashes): Hashes {
  if (typeof stored !== "string") return stored;
  return Array.from({ length: Math.ceil(stored.length / shortDigestLength) }, (_, index) =>
    restoreHex(stored.slice(index * shortDigestLength, (index + 1) * shortDigestLength)),
  );
}

const initialLockout: IdentityState["lockout"] = {
  failedAttempts: 0,
  failuresThisRound: 0,
  locks: 0,
  lockedUntil: null,
  failedBeforeEnrolment: 0,
};

/** What is left out while it has its initial value. */
const initialState = {
  lastVerifiedAt: null,
  lastMethod: null,
  totp: null,
  pendingTotp: null,
  authenticators: [],
  lastAuthenticatorId: null,
  otpDisabled: false,
  backupCodes: null,
  passkeys: null,
  devices: [],
  auditKey: null,
  refusals: [],
  laterRefusals: [],
} satisfies Partial<IdentityState & StoredRefusals>;

/** The values that differ from the initial ones. */
function selectChanged(values: object, initial: object): Record<string, unknown> {
  const unchanged = new Map(
    Object.entries(initial).map(([name, value]) => [name, JSON.stringify(value)]),
  );
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => unchanged.get(name) !== JSON.stringify(value)),
  );
}

/** Known fields, besides those with an initial value. The row has most of them in other columns. */
const otherFields: readonly string[] = [
  ...["tenantId", "identityId", "externalId", "status", "createdAt", "updatedAt", "lockout"],
  ...["recent", "rates"],
];

/** The fields that only a newer build knows. */
function selectUnknown(state: IdentityState): object {
  const known = new Set([...otherFields, ...Object.keys(initialState)]);
  return Object.fromEntries(Object.entries(state).filter(([name]) => !known.has(name)));
}

/** Older builds wrote no `form`. */
const formVersion = 2;

/** The columns of a record that the form leaves out. */
interface RowFields {
  readonly tenantId: string;
  readonly id: string;
  readonly externalId: string | null;
  readonly status: IdentityState["status"];
  readonly lockedUntil: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** A device as it is recorded: by the day that it was used last, so that a login does not change the record. */
function recordDevice(device: KnownDevice) {
  const { createdAt, lastUsedAt } = device;
  const usedAt = Math.max(createdAt, lastUsedAt - (lastUsedAt % dayMs));
  return { ...device, lastUsedAt: usedAt };
}

/**
 * Formats the state for the record. After a restore, the attempts of the last hour and the rate limits are worth
 * nothing, so they are left out, and so are refusals that are reported already. The sessions of the others are left
 * out because they name addresses.
 */
export function formatRecordedState(state: IdentityState): string {
  const { identityId: id, lockout, backupCodes, passkeys } = state;
  const { lastVerifiedAt, lastMethod, totp, pendingTotp, otpDisabled, auditKey } = state;
  const { authenticators, lastAuthenticatorId } = state;
  const refusals = splitRefusals(state.refusals.filter(hasUnreported).map(omitSession));
  const { lockedUntil: _lockedUntil, ...counts } = lockout;
  const codes = backupCodes && {
    ...backupCodes,
    unspent: joinHashes(backupCodes.unspent),
    spent: joinHashes(backupCodes.spent),
  };
  const changed = selectChanged(
    {
      lastVerifiedAt,
      lastMethod,
      totp,
      pendingTotp,
      otpDisabled,
      authenticators,
      lastAuthenticatorId,
      backupCodes: codes && selectChanged(codes, { unspent: "", spent: "" }),
      passkeys: passkeys && selectChanged(passkeys, noPasskeys),
      devices: state.devices.map(recordDevice),
      auditKey,
      ...refusals,
      ...selectUnknown(state),
    },
    initialState,
  );
  const lockoutChanges = selectChanged(counts, initialLockout);
  return JSON.stringify({
    form: formVersion,
    id,
    ...changed,
    ...selectChanged({ lockout: lockoutChanges }, { lockout: {} }),
  });
}

const storedHashes = z
  .union([z.string(), z.array(z.string())])
  .default("")
  .transform(splitHashes);

const recordedForm = z
  .looseObject({
    form: z.literal(formVersion),
    /** The identity's id: a state that was copied to another row is not loaded. */
    id: z.string(),
    backupCodes: z
      .looseObject({ keyVersion: z.int(), unspent: storedHashes, spent: storedHashes })
      .optional(),
    passkeys: z.looseObject({}).optional(),
    lockout: z.looseObject({}).optional(),
  })
  .transform(({ form: _form, id, lockout, passkeys, ...changed }) => ({
    ...initialState,
    ...changed,
    passkeys: passkeys === undefined ? null : { ...noPasskeys, ...passkeys },
    identityId: id,
    lockout: { ...initialLockout, ...lockout },
  }));

/** Thrown when a stored state belongs to another identity than its row. */
class ForeignStateError extends Error {
  constructor() {
    super("A stored state belongs to another identity");
    this.name = "ForeignStateError";
  }
}

/**
 * Reads the state of a record, in either form.
 * @throws ZodError, SyntaxError or ForeignStateError when it is damaged
 */
export function parseRecordedState(text: string, row: RowFields): IdentityState {
  const { tenantId, externalId, status, createdAt, updatedAt, lockedUntil } = row;
  const json: unknown = JSON.parse(text);
  const isRecordedForm = json instanceof Object && Object.hasOwn(json, "form");
  const read = () => {
    const { lockout, ...changed } = recordedForm.parse(json);
    const columns = { tenantId, externalId, status, createdAt, updatedAt };
    return { ...changed, ...columns, lockout: { ...lockout, lockedUntil }, recent: [], rates: {} };
  };
  const state = stateSchema.parse(isRecordedForm ? read() : json);
  if (state.tenantId !== tenantId || state.identityId !== row.id) throw new ForeignStateError();
  return state;
}
