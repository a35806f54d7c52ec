/** Reaching behind the API, to an identity's guard: only to move, empty or inspect it. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { User } from "./client.ts";
import { nameIn } from "./jurisdictions.ts";
import { fireObjectAlarm } from "./object-alarm.ts";

/** An identity that there is, or one that there is not. */
interface Guarded {
  readonly tenant: { readonly id: string; readonly jurisdiction?: "eu" | undefined };
  readonly id: string;
}

export function guardOf({ tenant: { id: tenantId, jurisdiction }, id }: Guarded) {
  const name = `${tenantId}:${id}`;
  const there = jurisdiction === undefined ? name : nameIn(jurisdiction, name);
  return env.GUARD.get(env.GUARD.idFromName(there));
}

/** The guard loses its memory and keeps its storage, as when the platform evicts it. */
export async function evict(user: User): Promise<void> {
  await evictDurableObject(guardOf(user));
}

/** The guard loses its storage too, as when a namespace is moved. */
export async function loseStorage(user: User): Promise<void> {
  await runInDurableObject(guardOf(user), async (_guard, { storage }) => {
    await storage.deleteAlarm();
    await storage.deleteAll();
  });
  await evict(user);
}

export async function fireAlarm(user: User): Promise<boolean> {
  return await fireObjectAlarm(guardOf(user));
}

/** Names of the tables the guard keeps, and whether an alarm is set. */
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

/** What still waits in the guard's outbox. */
export async function countOutboxRows(user: User): Promise<number> {
  return await runInDurableObject(
    guardOf(user),
    (_guard, { storage }) =>
      storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM outbox").one().n,
  );
}

/** Replaces the stored state by an SQL expression over it, behind the guard's back. */
export async function replaceState(user: User, expression: string): Promise<void> {
  await runInDurableObject(guardOf(user), (_guard, { storage }) => {
    storage.sql.exec(`UPDATE live SET state = ${expression}`);
  });
}

export async function readAlarm(user: User): Promise<number | null> {
  return (await inspectGuard(user)).alarm;
}
