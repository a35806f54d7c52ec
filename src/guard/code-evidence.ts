/** Computes what the decision on a code needs. */
import { keyOf } from "../crypto/keyring.ts";
import type { Config } from "../env.ts";
import { hashBackupCode } from "../otp/backup-codes.ts";
import { findTimeStep, isCodeOfStep } from "../otp/totp.ts";
import { findDevice } from "./decisions/devices.ts";
import type { IdentityState } from "./decisions/state.ts";
import type { GuardCall } from "./decisions/transition.ts";
import {
  type Attempt,
  type Evidence,
  findRefusal,
  findSecrets,
  type Purpose,
} from "./decisions/verify.ts";
import type { TotpKeys } from "./totp-keys.ts";

/** Decides nothing. Of an attempt that would be refused, nothing is computed. */
export async function gatherCodeEvidence(
  { sealingKeys, backupCodeKeys }: Config,
  totpKeys: TotpKeys,
  call: GuardCall,
  state: IdentityState,
  { method, code }: Attempt,
  purpose: Purpose,
): Promise<Evidence> {
  const { now, tenantId, identityId } = call;
  const device = findDevice(state, call);
  if (findRefusal(state, method, now, purpose, device) !== undefined) {
    return { method, withheld: true };
  }
  if (method === "backup_code") {
    const keyVersion = state.backupCodes?.keyVersion ?? null;
    if (keyVersion === null) return { method, keyVersion, hash: null };
    const key = keyOf(backupCodeKeys, keyVersion);
    return { method, keyVersion, hash: hashBackupCode(key, tenantId, identityId, code) };
  }
  const { totp, pendingTotp } = findSecrets(state, now, purpose);
  const keyFor = (sealed: string) => totpKeys.keyFor(sealed, sealingKeys, call);
  const findStep = async (secret: typeof pendingTotp | typeof totp) =>
    secret === null ? undefined : findTimeStep(await keyFor(secret.sealed), code, now);
  const [step, pendingStep] = await Promise.all([findStep(totp), findStep(pendingTotp)]);
  const lastTimeStep = totp?.lastTimeStep ?? null;
  const isNew = step !== undefined && (lastTimeStep === null || step > lastTimeStep);
  const isLastCode =
    totp !== null &&
    lastTimeStep !== null &&
    !isNew &&
    (await isCodeOfStep(await keyFor(totp.sealed), code, lastTimeStep));
  const secrets = { sealed: totp?.sealed ?? null, pendingSealed: pendingTotp?.sealed ?? null };
  return { method, ...secrets, step, pendingStep, lastTimeStep, isLastCode };
}
