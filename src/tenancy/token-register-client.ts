/** When an API token ends before its time: kept in D1, and beyond it in the tenant's token register. */
import type { Database } from "../db/client.ts";
import { controlDb } from "../db/shards.ts";
import { within } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { noLocation, stubFor } from "../location.ts";
import { causeOf, log } from "../log.ts";
import { listUnregisteredEnds, markRegistered } from "./store.ts";
import { revokedForGood, type TokenRegister } from "./token-register.ts";

const registerTimeoutMs = 2_000;
const maxEndsPerRun = 200;

/** Anywhere: it is asked beside the tenant's record, before anybody knows where the tenant belongs. */
function registerOf({ REGISTER }: Env, tenantId: string): DurableObjectStub<TokenRegister> {
  return stubFor(REGISTER, tenantId, noLocation);
}

/**
 * When the token ended, as the register has it; null where it has nothing.
 * @throws AppError `unavailable`: a token of which this is not known is not accepted
 */
export async function findRegisteredEnd(
  env: Env,
  tenantId: string,
  hash: string,
): Promise<number | null> {
  const asked = registerOf(env, tenantId).endOf(hash);
  const end = await within(registerTimeoutMs, asked).catch((error: unknown) => {
    log("error", "token_register_unreachable", { tenant_id: tenantId, cause: causeOf(error) });
  });
  if (end === undefined) throw new AppError("unavailable");
  return end;
}

/**
 * Has the register keep the ends that D1 has and it has not. D1 refuses those tokens already, so what
 * fails here may wait for the next run.
 * @param tenantId one tenant's only, where given
 */
export async function registerTokenEnds(env: Env, db: Database, tenantId?: string): Promise<void> {
  try {
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
        if (await within(registerTimeoutMs, keeping)) await markRegistered(db, ends);
      }),
    );
  } catch (error) {
    log("error", "token_ends_not_registered", { cause: causeOf(error) });
  }
}

/** Of all tenants; never throws. */
export async function registerAllTokenEnds(env: Env): Promise<void> {
  await registerTokenEnds(env, controlDb(env));
}
