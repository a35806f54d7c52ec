/**
 * The scheduled job that counts each tenant's confirmed sessions and writes the counts to KV, where
 * assessments read them. A run begins with the tenants that the previous one did not reach.
 */
import { findDayKeys } from "../../audit/personal-keys/client.ts";
import { awaitStore, type Database } from "../../db/client.ts";
import { findJurisdictions } from "../../db/find-jurisdictions.ts";
import { controlDbOf, listDatabasesInTurn } from "../../db/shards.ts";
import { forEachInTurn } from "../../db/turns.ts";
import { runJob } from "../../job.ts";
import type { Jurisdiction } from "../../location.ts";
import { cacheDayKeys } from "../sealed-evidence.ts";
import { PopulationCounter } from "./population.ts";
import { populationKeyOf } from "./read.ts";
import { type DueTenant, findDueTenants, listConfirmedSessions, savePopulation } from "./store.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** Sessions of a quarter count; older habits have changed by then. */
const maxSessionAgeMs = 90 * dayMs;
/**
 * Younger accounts do not count: whoever opens a thousand at a tenant, and confirms what they do there, would make the
 * network and the agent of an attack common, and new ones ordinary.
 */
const minAccountAgeMs = 7 * dayMs;
const maxSessions = 20_000;
/** Bounds of one run over all databases: a tenant takes two calls, and one for each thousand sessions. */
const maxTenants = 300;
const maxSessionsInRun = 100_000;
/** The counts of a tenant that is no longer counted expire. */
const expiresAfterSeconds = 60 * 24 * 60 * 60;

interface LocatedTenant extends DueTenant {
  readonly jurisdiction: Jurisdiction | null;
}

/** A tenant without a record has just been deleted. */
async function listDue(
  env: Env,
  db: Database,
  now: number,
  limit: number,
): Promise<LocatedTenant[]> {
  const due = await findDueTenants(db, now, limit);
  const ids = due.map(({ tenantId }) => tenantId);
  const jurisdictions =
    ids.length === 0 ? new Map() : await findJurisdictions(controlDbOf(env), ids);
  return due.map((tenant) => ({
    ...tenant,
    jurisdiction: jurisdictions.get(tenant.tenantId) ?? null,
  }));
}

/** @returns the number of sessions that were read */
async function countAndStore(
  env: Env,
  db: Database,
  { tenantId, recounts, jurisdiction }: LocatedTenant,
  now: number,
): Promise<number> {
  const owner = { tenantId, location: { jurisdiction, hint: null } };
  const findKeys = cacheDayKeys((days) => findDayKeys(env, owner, days));
  const count = new PopulationCounter();
  const from = now - maxSessionAgeMs;
  const joinedBefore = now - minAccountAgeMs;
  let read = 0;
  let below: string | null = null;
  do {
    const page = await listConfirmedSessions(db, tenantId, { from, joinedBefore }, below, findKeys);
    for (const session of page.sessions) count.add(session);
    read += page.sessions.length;
    ({ below } = page);
  } while (below !== null && read < maxSessions);
  const key = populationKeyOf(tenantId);
  if (count.logins === 0) await awaitStore(env.IP_REPUTATION.delete(key));
  else {
    const text = JSON.stringify(count.toPopulation(now));
    const options = { expirationTtl: expiresAfterSeconds };
    await awaitStore(env.IP_REPUTATION.put(key, text, options));
  }
  await savePopulation(db, { tenantId, recounts, builtAt: now, logins: count.logins });
  return read;
}

/** @param now Unix ms. Never throws: a failure is logged, and the next run tries again. */
export async function publishPopulations(env: Env, now: number): Promise<void> {
  let tenantsLeft = maxTenants;
  let sessionsLeft = maxSessionsInRun;
  const databases = listDatabasesInTurn(env, now);
  for (const [index, db] of databases.entries()) {
    // What one database does not need is left to those after it.
    const shareOf = (left: number) => Math.ceil(left / (databases.length - index));
    const maxTenantsHere = shareOf(tenantsLeft);
    const sessionsAfter = sessionsLeft - shareOf(sessionsLeft);
    const job = {
      job: "population",
      failure: "population_failed",
      maxTenants: maxTenantsHere,
      hasBudget: () => sessionsLeft > sessionsAfter,
    } as const;
    const countOne = async (due: LocatedTenant) => {
      tenantsLeft -= 1;
      sessionsLeft -= await countAndStore(env, db, due, now);
    };
    const list = (limit: number) => listDue(env, db, now, limit);
    await runJob("population_failed", () => forEachInTurn(db, job, list, countOne));
  }
}
