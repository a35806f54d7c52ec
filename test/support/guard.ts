/** Access to an identity's guard behind the API, only to evict, empty or inspect it. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { User } from "./client.ts";
import { nameIn } from "./jurisdictions.ts";
import { fireObjectAlarm } from "./object-alarm.ts";
import { countUndeliveredIn } from "./undelivered.ts";

/** An identity, which need not exist. */
interface Guarded {
  readonly tenant: { readonly id: string; readonly jurisdiction?: "eu" | undefined };
  readonly id: string;
}

export function guardOf({ tenant: { id: tenantId, jurisdiction }, id }: Guarded) {
  const name = `${tenantId}:${id}`;
  const objectName = jurisdiction === undefined ? name : nameIn(jurisdiction, name);
  return env.GUARD.get(env.GUARD.idFromName(objectName));
}

/** Evicts the guard: it loses its memory and keeps its storage. */
export async function evict(user: Guarded): Promise<void> {
  await evictDurableObject(guardOf(user));
}

/** Deletes the guard's storage and evicts it, as after a namespace change. */
export async function loseStorage(user: Guarded): Promise<void> {
  await runInDurableObject(guardOf(user), async (_guard, { storage }) => {
    await storage.deleteAlarm();
    await storage.deleteAll();
  });
  await evict(user);
}

export async function fireAlarm(user: User): Promise<boolean> {
  return await fireObjectAlarm(guardOf(user));
}

/** The names of the guard's tables, and the time of its alarm or null. */
export async function inspectGuard(identity: Guarded) {
  return await runInDurableObject(guardOf(identity), async (_guard, { storage }) => ({
    tables: storage.sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'",
      )
      .toArray()
      .map(({ name }) => name),
    alarm: await storage.getAlarm(),
  }));
}

/** The number of changes whose events only the guard has. */
export async function countUndelivered(user: User): Promise<number> {
  return await countUndeliveredIn(guardOf(user));
}

/** Replaces the stored state by an SQL expression over it. The guard gets no notice. */
export async function replaceState(user: Guarded, expression: string): Promise<void> {
  await runInDurableObject(guardOf(user), (_guard, { storage }) => {
    storage.sql.exec(`UPDATE live SET state = ${expression}`);
  });
}

export async function readAlarm(user: User): Promise<number | null> {
  return (await inspectGuard(user)).alarm;
}
