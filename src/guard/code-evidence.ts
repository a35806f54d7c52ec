/** Computes what the decision on a code needs. */
import { keyOf } from "../crypto/keyring.ts";
import type { Config } from "../env.ts";
import { hashBackupCode } from "../otp/backup-codes.ts";
import { deriveImportedCodes, describeImportedCode } from "../otp/imported-codes.ts";
import { findDistantStep, findTimeStep, isCodeOfStep } from "../otp/totp.ts";
import type { Authenticator } from "./decisions/authenticators.ts";
import { findDevice } from "./decisions/devices.ts";
import {
  findLastUsed,
  findSecrets,
  isUnspent,
  type TotpEvidence,
} from "./decisions/evaluate-totp.ts";
import type { Attempt, Purpose } from "./decisions/evaluation.ts";
import { isWithinLimit } from "./decisions/rate-limit.ts";
import type { IdentityState } from "./decisions/state.ts";
import type { GuardCall } from "./decisions/transition.ts";
import { type Evidence, findRefusal } from "./decisions/verify.ts";
import type { TotpKeys } from "./totp-keys.ts";

type BackupCodeAttempt = Extract<Attempt, { readonly method: "backup_code" }>;

/** Decides nothing. Of an attempt that would be refused, nothing is computed. */
export async function gatherCodeEvidence(
  config: Config,
  totpKeys: TotpKeys,
  call: GuardCall,
  state: IdentityState,
  attempt: Attempt,
  purpose: Purpose,
  windowSteps: number,
): Promise<Evidence> {
  const { now } = call;
  const { method, code } = attempt;
  const device = findDevice(state, call);
  const isRefused = findRefusal(state, method, now, purpose, device) !== undefined;
  if (isRefused || !isWithinLimit("attempts", state, call)) {
    return { method, withheld: true };
  }
  if (attempt.method === "backup_code") {
    return await gatherBackupCodeEvidence(config, call, state, attempt);
  }
  const keyFor = (secret: Authenticator) => totpKeys.keyFor(secret, config.sealingKeys, call);
  return await gatherTotpEvidence(keyFor, call, state, code, purpose, windowSteps);
}

/** What the code would be stored as, in each spelling and under each recipe of an imported set. */
async function gatherBackupCodeEvidence(
  { backupCodeKeys }: Config,
  { tenantId, identityId }: GuardCall,
  { backupCodes }: IdentityState,
  { method, code, typed = code }: BackupCodeAttempt,
): Promise<Evidence> {
  if (backupCodes === null) return { method, keyVersion: null, recipes: [], hashes: [] };
  const { keyVersion, imported } = backupCodes;
  const key = keyOf(backupCodeKeys, keyVersion);
  const recipes = imported?.recipes ?? [];
  const derived = imported === undefined ? [] : await deriveImportedCodes(typed, recipes);
  const texts = new Set([code, ...derived.map(describeImportedCode)]);
  const hashes = [...texts].map((text) => hashBackupCode(key, tenantId, identityId, text));
  return { method, keyVersion, recipes, hashes };
}

/**
 * Compares the code with all secrets, also after a match, so that the time of an answer does not tell which secret
 * accepted it. For every code that none accepts, the times beyond the window are computed too, so that it does not tell
 * either why the code was rejected.
 */
async function gatherTotpEvidence(
  keyFor: (secret: Authenticator) => Promise<CryptoKey>,
  { now }: GuardCall,
  state: IdentityState,
  code: string,
  purpose: Purpose,
  windowSteps: number,
): Promise<TotpEvidence> {
  const secrets = findSecrets(state, now, purpose);
  const compared = await Promise.all(
    secrets.map(async (secret) => {
      const key = await keyFor(secret);
      return { secret, key, step: await findTimeStep(key, code, now, secret, windowSteps) };
    }),
  );
  const comparisons = compared.map(({ secret: { sealed }, step }) => ({ sealed, step }));
  const isAccepted = compared.some(({ secret, step }) => isUnspent(secret, step));
  if (isAccepted) return { method: "totp", comparisons };
  const lastUsed = findLastUsed(state, secrets);
  const [distantSteps, isLastCode] = await Promise.all([
    Promise.all(
      compared.map(({ secret, key }) =>
        findDistantStep(key, code, now, secret, secret.lastTimeStep),
      ),
    ),
    lastUsed !== undefined &&
      isCodeOfStep(await keyFor(lastUsed), code, lastUsed.lastTimeStep, lastUsed),
  ]);
  const distant = comparisons.map((comparison, index) => ({
    ...comparison,
    distantStep: distantSteps[index],
  }));
  if (lastUsed === undefined) return { method: "totp", comparisons: distant };
  const last = { sealed: lastUsed.sealed, timeStep: lastUsed.lastTimeStep, isLastCode };
  return { method: "totp", comparisons: distant, last };
}
