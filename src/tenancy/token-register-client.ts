/**
 * Calls tenants' token registers. D1 records the ends of tokens first; the registers have a second copy.
 */
import type { Database } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { runJob } from "../job.ts";
import { stubFor, noLocation } from "../location.ts";
import { causeOf, log } from "../log.ts";
import { revokedForGood } from "./token-end.ts";
import type { TokenRegister } from "./token-register.ts";
import { listUnregisteredEnds, markRegistered } from "./token-store.ts";

const registerTimeoutMs = 2_000;
const maxEndsPerRun = 200;

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
 * Sends ends from D1 to the registers that may not have them. D1 already refuses these tokens, so a failure
 * may wait for the next run.
 * @param tenantId limits the run to this tenant
 */
export async function registerTokenEnds(env: Env, db: Database, tenantId?: string): Promise<void> {
  await runJob("token_ends_not_registered", async () => {
    const waiting = await listUnregisteredEnds(db, tenantId, maxEndsPerRun);
    const byTenant = Map.groupBy(waiting, (token) => token.tenantId);
    await Promise.all(
      [...byTenant].map(async ([owner, ends]) => {
        const keeping = registerOf(env, owner).keep(
          ends.flatMap(({ hash, revokedAt, expiresAt }) => {
            const endsAt = revokedAt === null ? expiresAt : revokedForGood;
            return endsAt === null ? [] : [{ hash, endsAt }];
          }),
        );
        if (await awaitWithin(registerTimeoutMs, keeping)) await markRegistered(db, ends);
      }),
    );
  });
}

/** Registers the ends of all tenants' tokens. Never throws. */
export async function registerAllTokenEnds(env: Env): Promise<void> {
  await registerTokenEnds(env, controlDbOf(env));
}
