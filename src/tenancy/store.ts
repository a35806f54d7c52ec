/** Tenants and API tokens in D1. What changes here writes its audit event in the same batch. */
import { and, asc, eq, gt, isNull, sql } from "drizzle-orm";
import type { FiledEvent } from "../audit/file.ts";
import { insertEvents } from "../audit/store.ts";
import { type Database, runBatch, type Statement, withinStoreTimeout } from "../db/client.ts";
import { apiTokens, tenants } from "../db/schema.ts";
import type { Mode } from "./api-token.ts";
import type { Permission } from "./permission.ts";
import type { SettingsPatch } from "./settings.ts";

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly mode: Mode;
  readonly settings: SettingsPatch;
  readonly createdAt: number;
}

/** Times are Unix ms. */
export interface ApiToken {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** How long it was made to live; null: for ever. */
  readonly lifetimeMs: number | null;
  readonly lastUsedAt: number | null;
}

interface HashedApiToken extends ApiToken {
  readonly hash: string;
}

const ofTenant = (tenantId: string, id: string) =>
  and(eq(apiTokens.tenantId, tenantId), eq(apiTokens.id, id), isNull(apiTokens.revokedAt));

const tokenColumns = {
  id: apiTokens.id,
  tenantId: apiTokens.tenantId,
  name: apiTokens.name,
  permissions: apiTokens.permissions,
  createdAt: apiTokens.createdAt,
  expiresAt: apiTokens.expiresAt,
  lifetimeMs: apiTokens.lifetimeMs,
  lastUsedAt: apiTokens.lastUsedAt,
};

export async function insertTenant(
  db: Database,
  tenant: Tenant,
  token: HashedApiToken,
  events: readonly FiledEvent[],
  remembered: readonly Statement[],
): Promise<void> {
  await runBatch(db, [
    db.insert(tenants).values(tenant),
    db.insert(apiTokens).values(token),
    insertEvents(db, tenant.id, events),
    ...remembered,
  ]);
}

export async function insertToken(
  db: Database,
  token: HashedApiToken,
  events: readonly FiledEvent[],
  remembered: readonly Statement[],
): Promise<void> {
  await runBatch(db, [
    db.insert(apiTokens).values(token),
    insertEvents(db, token.tenantId, events),
    ...remembered,
  ]);
}

/** A token with its tenant, whether or not it may still be used. */
export async function findTokenByHash(
  db: Database,
  hash: string,
): Promise<
  | {
      readonly token: ApiToken & { readonly revokedAt: number | null };
      readonly tenant: Tenant;
    }
  | undefined
> {
  const rows = await withinStoreTimeout(
    db
      .select({ token: { ...tokenColumns, revokedAt: apiTokens.revokedAt }, tenant: tenants })
      .from(apiTokens)
      .innerJoin(tenants, eq(tenants.id, apiTokens.tenantId))
      .where(eq(apiTokens.hash, hash))
      .limit(1),
  );
  return rows[0];
}

export async function findToken(
  db: Database,
  tenantId: string,
  id: string,
): Promise<ApiToken | undefined> {
  const rows = await withinStoreTimeout(
    db.select(tokenColumns).from(apiTokens).where(ofTenant(tenantId, id)).limit(1),
  );
  return rows[0];
}

export async function listTokens(
  db: Database,
  tenantId: string,
  after: string | undefined,
  limit: number,
): Promise<ApiToken[]> {
  return await withinStoreTimeout(
    db
      .select(tokenColumns)
      .from(apiTokens)
      .where(
        and(
          eq(apiTokens.tenantId, tenantId),
          isNull(apiTokens.revokedAt),
          after === undefined ? undefined : gt(apiTokens.id, after),
        ),
      )
      .orderBy(asc(apiTokens.id))
      .limit(limit),
  );
}

/** The new token and the end of the old one, together. */
export async function replaceToken(
  db: Database,
  old: { readonly id: string; readonly tenantId: string; readonly expiresAt: number },
  replacement: HashedApiToken,
  events: readonly FiledEvent[],
  remembered: readonly Statement[],
): Promise<void> {
  await runBatch(db, [
    db.insert(apiTokens).values(replacement),
    db
      .update(apiTokens)
      .set({ expiresAt: old.expiresAt, endUnregistered: true })
      .where(ofTenant(old.tenantId, old.id)),
    insertEvents(db, old.tenantId, events),
    ...remembered,
  ]);
}

export async function revokeToken(
  db: Database,
  tenantId: string,
  id: string,
  now: number,
  events: readonly FiledEvent[],
): Promise<void> {
  await runBatch(db, [
    db
      .update(apiTokens)
      .set({ revokedAt: now, endUnregistered: true })
      .where(ofTenant(tenantId, id)),
    insertEvents(db, tenantId, events),
  ]);
}

/** A token whose end the tenant's register may not know. */
export interface UnregisteredEnd {
  readonly tenantId: string;
  readonly id: string;
  readonly hash: string;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

/** Spelled as the partial index has it, so that the index is used. */
const isUnregistered = sql`end_unregistered`;

export async function listUnregisteredEnds(
  db: Database,
  tenantId: string | undefined,
  limit: number,
): Promise<UnregisteredEnd[]> {
  const { id, hash, expiresAt, revokedAt } = apiTokens;
  return await withinStoreTimeout(
    db
      .select({ tenantId: apiTokens.tenantId, id, hash, expiresAt, revokedAt })
      .from(apiTokens)
      .where(
        and(isUnregistered, tenantId === undefined ? undefined : eq(apiTokens.tenantId, tenantId)),
      )
      .limit(limit),
  );
}

/** Unless an end has changed meanwhile: then it is registered anew. */
export async function markRegistered(
  db: Database,
  ends: readonly UnregisteredEnd[],
): Promise<void> {
  await runBatch(
    db,
    ends.map(({ id, expiresAt, revokedAt }) =>
      db
        .update(apiTokens)
        .set({ endUnregistered: false })
        .where(
          and(
            eq(apiTokens.id, id),
            sql`${apiTokens.expiresAt} IS ${expiresAt}`,
            sql`${apiTokens.revokedAt} IS ${revokedAt}`,
          ),
        ),
    ),
  );
}

export async function touchToken(db: Database, id: string, now: number): Promise<void> {
  await withinStoreTimeout(
    db.update(apiTokens).set({ lastUsedAt: now }).where(eq(apiTokens.id, id)),
  );
}

export async function findSettings(
  db: Database,
  tenantId: string,
): Promise<SettingsPatch | undefined> {
  const rows = await withinStoreTimeout(
    db
      .select({ settings: tenants.settings })
      .from(tenants)
      .where(eq(tenants.id, tenantId))
      .limit(1),
  );
  return rows[0]?.settings;
}

/** Lays the patch over what is set (RFC 7396), so that two patches at once both take effect. */
export async function patchSettings(
  db: Database,
  tenantId: string,
  patch: SettingsPatch,
  events: readonly FiledEvent[],
): Promise<void> {
  const merged = sql`json_patch(${tenants.settings}, ${JSON.stringify(patch)})`;
  await runBatch(db, [
    db.update(tenants).set({ settings: merged }).where(eq(tenants.id, tenantId)),
    insertEvents(db, tenantId, events),
  ]);
}

/** Asks D1 for anything. @throws StoreError when it does not answer or is not migrated */
export async function probe(db: Database): Promise<void> {
  await withinStoreTimeout(db.select({ id: tenants.id }).from(tenants).limit(1));
}
