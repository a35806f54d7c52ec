/**
 * Calls tenants' token registers. A revocation reaches the register first, and then D1. The end that a
 * rotation sets reaches D1 first, together with the successor.
 */
import { mapConcurrently } from "../concurrent.ts";
import type { Database } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { endTurn } from "../db/turns.ts";
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { runJob } from "../job.ts";
import { noLocation, stubFor } from "../location.ts";
import { causeOf, log } from "../log.ts";
import {
  type RegisterResult,
  type Revocation,
  type RevokingToken,
  revokedForGood,
} from "./token-end.ts";
import type { TokenRegister } from "./token-register.ts";
import { listUnregisteredEnds, markRegistered, type UnregisteredEnd } from "./token-store.ts";

const registerTimeoutMs = 2_000;
/** The next run continues with the tenant after the last one. */
const maxEndsPerRun = 200;
const maxConcurrentRegisters = 6;

/** Without a location: the register is called at the same time as the tenant's record is read. */
function registerOf({ REGISTER }: Env, tenantId: string): DurableObjectStub<TokenRegister> {
  return stubFor(REGISTER, tenantId, noLocation);
}

/**
 * Finds when a token ends, Unix ms; null if the register has no end.
 * @throws AppError `unavailable`: without the register's answer a token is not accepted
 */
export async function findRegisteredEnd(
  env: Env,
  tenantId: string,
  hash: string,
): Promise<number | null> {
  const call = registerOf(env, tenantId).endOf(hash);
  const end = await awaitWithin(registerTimeoutMs, call).catch((error: unknown) => {
    log("error", "token_register_unreachable", { tenant_id: tenantId, cause: causeOf(error) });
  });
  if (end === undefined) throw new AppError("unavailable");
  return end;
}

/**
 * Revokes a token in the register. Never throws.
 * @param caller the token that revokes it; null: the operator
 * @returns undefined if the register does not answer; it may have the revocation nevertheless
 */
export async function registerRevocation(
  env: Env,
  caller: RevokingToken | null,
  revocation: Revocation,
): Promise<RegisterResult | undefined> {
  const { tenantId } = revocation;
  try {
    const call = registerOf(env, tenantId).revoke(caller, revocation);
    return await awaitWithin(registerTimeoutMs, call);
  } catch (error) {
    log("error", "token_register_unreachable", { tenant_id: tenantId, cause: causeOf(error) });
    return undefined;
  }
}

/** Reports that D1 has a revocation. Never throws: without the report the register files it once more. */
export async function confirmRevocation(env: Env, { tenantId, hash }: Revocation): Promise<void> {
  await runJob("revocation_not_confirmed", () =>
    awaitWithin(registerTimeoutMs, registerOf(env, tenantId).confirm(hash)),
  );
}

/** Makes a deleted tenant's register delete everything. @throws AppError `unavailable` */
export async function clearTokenRegister(env: Env, tenantId: string): Promise<void> {
  const call = registerOf(env, tenantId).clear();
  const isDone = await awaitWithin(registerTimeoutMs, call).catch(() => false);
  if (!isDone) throw new AppError("unavailable");
}

/**
 * Sends ends from D1 to the registers that may not have them. D1 already refuses these tokens, so a failure
 * may wait for the next run.
 * @param tenantId limits the run to this tenant
 */
export async function registerTokenEnds(env: Env, db: Database, tenantId?: string): Promise<void> {
  const failure = "token_ends_not_registered";
  await runJob(failure, async () => {
    const waiting = await listUnregisteredEnds(db, tenantId, maxEndsPerRun);
    const byTenant = [...Map.groupBy(waiting, (token) => token.tenantId)];
    const registered: UnregisteredEnd[] = [];
    await mapConcurrently(byTenant, maxConcurrentRegisters, async ([owner, ends]) => {
      const register = async () => {
        const keeping = registerOf(env, owner).keep(
          ends.flatMap(({ hash, revokedAt, expiresAt }) => {
            const endsAt = revokedAt === null ? expiresAt : revokedForGood;
            return endsAt === null ? [] : [{ hash, endsAt }];
          }),
        );
        if (await awaitWithin(registerTimeoutMs, keeping)) registered.push(...ends);
      };
      await runJob(failure, register, { tenant_id: owner });
    });
    const isScheduled = tenantId === undefined;
    await Promise.all([
      markRegistered(db, registered),
      isScheduled && endTurn(db, "token_ends", waiting, waiting.length, maxEndsPerRun),
    ]);
  });
}

/** Registers the ends of all tenants' tokens. Never throws. */
export async function registerAllTokenEnds(env: Env): Promise<void> {
  await registerTokenEnds(env, controlDbOf(env));
}
