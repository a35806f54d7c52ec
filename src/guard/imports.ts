/** The import of a user into its guard: reads what the guard has, seals what is new, and records it in one step. */
import { createAuditKey } from "../audit/personal.ts";
import { toHex } from "../crypto/bytes.ts";
import { createId } from "../crypto/id.ts";
import { keyOf } from "../crypto/keyring.ts";
import { seal, unseal } from "../crypto/sealed-box.ts";
import type { Config } from "../env.ts";
import { hashBackupCode } from "../otp/backup-codes.ts";
import { describeImportedCode, type ImportedCode } from "../otp/imported-codes.ts";
import { defaultParameters, type TotpParameters } from "../otp/totp.ts";
import { isLive, listAuthenticators } from "./decisions/authenticators.ts";
import { stale } from "./decisions/evaluation.ts";
import {
  applyImport,
  fitsPlan,
  type ImportedRow,
  type ImportPlan,
  isChange,
  type OnExisting,
  type PresentFactors,
  planImport,
  type RowOutcome,
  type SealedSecret,
} from "./decisions/import-user.ts";
import { create } from "./decisions/lifecycle.ts";
import type { IdentityState, SpentCodes } from "./decisions/state.ts";
import {
  fail,
  type GuardCall,
  type GuardResult,
  succeed,
  type Transition,
} from "./decisions/transition.ts";
import type { GuardLedger } from "./ledger.ts";
import type { FoundRecord } from "./rehydration.ts";
import type { AddReceipt } from "./replay.ts";
import { totpContextOf } from "./totp-keys.ts";

/** How often an import is planned anew when the state changes meanwhile. */
const maxPlans = 5;

/** A row as the edge has read it. */
export interface SentRow {
  readonly status: "active" | "suspended";
  readonly secrets: readonly SentSecret[];
  readonly codes: readonly ImportedCode[];
}

export interface SentSecret extends TotpParameters {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly name: string | null;
}

/** All rows of one user. */
export interface UserImport {
  readonly externalId: string;
  readonly rows: readonly SentRow[];
  readonly onExisting: OnExisting;
  readonly isDryRun: boolean;
}

/** A live secret with its bytes. */
export interface ExportedSecret extends TotpParameters {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

function fingerprintOf(bytes: Uint8Array, parameters: TotpParameters): string {
  const { algorithm, digits, period } = parameters;
  return [toHex(bytes), algorithm, digits, period].join(" ");
}

function canBePrimary({ algorithm, digits, period }: TotpParameters): boolean {
  return (
    algorithm === defaultParameters.algorithm &&
    digits === defaultParameters.digits &&
    period === defaultParameters.period
  );
}

/** Opens the live secrets: one that waits for its first code may expire. @throws MissingKeyError, BrokenSealError */
async function openLiveSecrets({ sealingKeys }: Config, state: IdentityState, now: number) {
  const live = listAuthenticators(state, now).filter(isLive);
  return await Promise.all(
    live.map(async (secret) => {
      const context = totpContextOf(state, secret.isPrimary ? undefined : secret.id);
      return { secret, bytes: await unseal(sealingKeys, context, secret.sealed) };
    }),
  );
}

/** The live secrets in clear. @throws MissingKeyError, BrokenSealError */
export async function exportSecrets(
  config: Config,
  state: IdentityState,
  now: number,
): Promise<readonly ExportedSecret[]> {
  const opened = await openLiveSecrets(config, state, now);
  return opened.map(({ secret: { name, algorithm, digits, period }, bytes }) => ({
    ...{ name, algorithm, digits, period, bytes },
  }));
}

async function readFactors(
  config: Config,
  state: IdentityState | undefined,
  onExisting: OnExisting,
  now: number,
): Promise<PresentFactors | undefined> {
  if (state === undefined) return undefined;
  // A user that is skipped is not compared.
  if (onExisting === "skip") return { state, fingerprints: [] };
  const opened = await openLiveSecrets(config, state, now);
  return { state, fingerprints: opened.map(({ secret, bytes }) => fingerprintOf(bytes, secret)) };
}

/** Hashes the codes of a row under a key, and finds those that were spent in a set that is gone. */
function hashCodes(
  { backupCodeKeys }: Config,
  { tenantId, identityId }: GuardCall,
  keyVersion: number,
  spentCodes: readonly SpentCodes[],
  codes: readonly ImportedCode[],
): ImportedRow["codes"] {
  if (codes.length === 0) return null;
  const hashUnder = (key: Uint8Array, code: ImportedCode) =>
    hashBackupCode(key, tenantId, identityId, describeImportedCode(code));
  const key = keyOf(backupCodeKeys, keyVersion);
  const isSpent = (code: ImportedCode) =>
    spentCodes.some(({ keyVersion: version, hashes }) => {
      // A key that is gone takes nobody's login away: what was spent under it is unknown then.
      const spentUnder = backupCodeKeys.keys.get(version);
      return spentUnder !== undefined && hashes.includes(hashUnder(spentUnder, code));
    });
  const hash = (code: ImportedCode) => hashUnder(key, code);
  const recipes = new Set(codes.map(({ recipe }) => recipe).filter((recipe) => recipe !== ""));
  return {
    recipes: [...recipes],
    hashes: [...new Set(codes.map(hash))],
    spent: [...new Set(codes.filter(isSpent).map(hash))],
  };
}

function readSecrets({ secrets }: SentRow): ImportedRow["secrets"] {
  return secrets.map((secret) => ({ ...secret, fingerprint: fingerprintOf(secret.bytes, secret) }));
}

async function sealSecrets(
  { sealingKeys }: Config,
  call: GuardCall,
  { secrets }: ImportPlan,
): Promise<readonly SealedSecret[]> {
  return await Promise.all(
    secrets.map(async (secret) => {
      const id = createId(call.now);
      const context = totpContextOf(call, secret.isPrimary ? undefined : id);
      return { ...secret, id, sealed: await seal(sealingKeys, context, secret.bytes) };
    }),
  );
}

type Outcomes = Transition<readonly RowOutcome[]>;

/** Creates the identity, or returns `stale` if it exists by now. */
async function createUser(
  { sealingKeys }: Config,
  ledger: GuardLedger,
  call: GuardCall,
  externalId: string,
  found: Promise<FoundRecord>,
  apply: (state: IdentityState) => Outcomes,
): Promise<GuardResult<readonly RowOutcome[]> | typeof stale> {
  const auditKey = await createAuditKey(sealingKeys, call);
  const creation = apply(create(call, externalId, auditKey).state);
  return await ledger.create(call, creation, found, (): Outcomes | typeof stale => stale);
}

/**
 * Imports the rows of one user, each of which changes all that it has or nothing. @returns their outcomes, in their order
 * @param found what D1 has of the identity, read beside the call
 * @throws StoreError; MissingKeyError or BrokenSealError if a box does not open
 */
export async function importUser(
  config: Config,
  ledger: GuardLedger,
  call: GuardCall,
  { externalId, rows, onExisting, isDryRun }: UserImport,
  found: Promise<FoundRecord>,
  addReceipt: AddReceipt,
): Promise<GuardResult<readonly RowOutcome[]>> {
  const { newest } = config.backupCodeKeys;
  for (let planning = 0; planning < maxPlans; planning += 1) {
    const state = await ledger.find(call, found);
    const keyVersion = state?.backupCodes?.keyVersion ?? newest;
    const plan = planImport(
      await readFactors(config, state, onExisting, call.now),
      rows.map((row) => ({
        status: row.status,
        secrets: readSecrets(row),
        codes: hashCodes(config, call, keyVersion, state?.spentCodes ?? [], row.codes),
      })),
      onExisting,
      canBePrimary,
      call.now,
    );
    if (isDryRun || !isChange(plan)) return succeed(plan.outcomes);
    const [recorded, sealed] = await Promise.all([addReceipt(), sealSecrets(config, call, plan)]);
    const apply = (present: IdentityState) =>
      applyImport(present, recorded, plan, sealed, keyVersion);
    const result = await (state === undefined
      ? createUser(config, ledger, recorded, externalId, found, apply)
      : ledger.commit(recorded, (present): Outcomes | typeof stale =>
          fitsPlan(state, present) ? apply(present) : stale,
        ));
    if (result === stale) continue;
    // The user was erased meanwhile, and may be created.
    if (result.ok || result.error.code !== "user_not_found") return result;
  }
  return fail({ code: "unavailable" });
}
