/**
 * Sealing anew what older keys sealed, a slice at a time: guard by guard in the order of the directory,
 * then the kept requests of D1. Where it stands is in D1, so it goes on after whatever ended it; a slice
 * that is done twice changes nothing. Once nothing is left under them, older versions are retired.
 */
import type { Database } from "../db/client.ts";
import { resealReceipt } from "../idempotency/receipt.ts";
import type { Config } from "../env.ts";
import { resealGuard } from "../guard/client.ts";
import { log } from "../log.ts";
import { ringOf } from "./fit.ts";
import {
  countBackupCodeKeys,
  countSealedUnderOthers,
  identitiesAfter,
  openReEncryption,
  type ReEncryption,
  replaceReceipt,
  requestsUnderOthers,
  retireKeys,
  saveReEncryption,
} from "./store.ts";
import type { KeyringName } from "./keyring-names.ts";

/** Guards asked at once. */
const atOnce = 8;
const requestsPerSlice = 100;
const fromTheStart = { tenantId: "", identityId: "", seen: 0, failed: 0 };

export interface ReEncryptCall {
  readonly env: Env;
  readonly config: Config;
  /** Real time, Unix ms. */
  readonly now: number;
}

/** Does the next slice. @returns how far it has come; finished once `finishedAt` is set. @throws StoreError */
export async function reEncrypt(
  call: ReEncryptCall,
  db: Database,
  limit: number,
): Promise<ReEncryption> {
  const { config, now } = call;
  const { newest: version } = config.sealingKeys;
  const before = await openReEncryption(db, version, now);
  const isOver = before.finishedAt !== null && (await countSealedUnderOthers(db, version)) === 0;
  const after = isOver ? before : await nextSlice(call, db, before, limit);
  if (after !== before && !(await saveReEncryption(db, before, after))) {
    // Another runner was faster: what it saved is where things stand.
    return await openReEncryption(db, version, now);
  }
  if (after.finishedAt !== null) await retire(call, db);
  return after;
}

async function nextSlice(
  call: ReEncryptCall,
  db: Database,
  before: ReEncryption,
  limit: number,
): Promise<ReEncryption> {
  // Something under an older key arrived after the end: all is looked at once more.
  if (before.finishedAt !== null) return { ...before, ...fromTheStart, finishedAt: null };
  const owners = await identitiesAfter(db, before, limit);
  const last = owners.at(-1);
  if (last === undefined) return await finish(call, db, before);
  let failed = 0;
  for (let from = 0; from < owners.length; from += atOnce) {
    const done = await Promise.all(
      owners.slice(from, from + atOnce).map((owner) => resealGuard(call.env, owner, before)),
    );
    failed += done.filter((isDone) => !isDone).length;
  }
  return {
    ...before,
    ...last,
    seen: before.seen + owners.length,
    failed: before.failed + failed,
  };
}

/** All identities were seen. What is left over makes another pass. */
async function finish(
  call: ReEncryptCall,
  db: Database,
  before: ReEncryption,
): Promise<ReEncryption> {
  const { sealingKeys } = call.config;
  const requests = await requestsUnderOthers(db, before.version, requestsPerSlice);
  for (const request of requests) {
    const { tenantId, key, box } = request;
    const owner = { tenantId, identityId: "" };
    await replaceReceipt(db, request, await resealReceipt(sealingKeys, owner, key, box));
  }
  if (requests.length === requestsPerSlice) return before;
  const left = await countSealedUnderOthers(db, before.version);
  if (before.failed === 0 && left === 0) return { ...before, leftOver: 0, finishedAt: call.now };
  const leftOver = Math.max(left, before.failed);
  log("error", "re_encryption_incomplete", { count: leftOver });
  return { ...before, ...fromTheStart, passes: before.passes + 1, leftOver };
}

/** Versions before the newest that nothing needs any more. Those that sign the trail are kept for ever. */
async function retire({ config, now }: ReEncryptCall, db: Database): Promise<void> {
  const older = (name: KeyringName) => {
    const { keys, newest } = ringOf(config, name);
    return [...keys.keys()].filter((version) => version < newest);
  };
  const sets = await countBackupCodeKeys(db);
  await retireKeys(db, "sealing", older("sealing"), now);
  await retireKeys(
    db,
    "backup_codes",
    older("backup_codes").filter((version) => !sets.has(version)),
    now,
  );
}
