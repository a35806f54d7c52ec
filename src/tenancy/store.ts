/**
 * Tenants and API tokens in D1, in the control plane. What changes here is a batch with its audit event,
 * see audit/control-outbox/change.ts.
 */
import { and, asc, eq, getTableColumns, gt, inArray, isNull, sql } from "drizzle-orm";
import { type Database, runBatch, type Statement, withinStoreTimeout } from "../db/client.ts";
import { tenantFences, tenants } from "../db/tables.ts";
import type { Jurisdiction } from "../location.ts";
import type { Mode } from "./api-token.ts";
import type { Permission } from "./permission.ts";
import type { SettingsPatch } from "./settings.ts";
import { apiTokens } from "./tables.ts";

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly mode: Mode;
  readonly jurisdiction: Jurisdiction | null;
  readonly settings: SettingsPatch;
  readonly createdAt: number;
  /** The database with its data. */
  readonly shard: number;
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

const isUsableToken = (tenantId: string, id: string) =>
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

const settings = sql`${tenants.settings}`.mapWith(
  (text: string): SettingsPatch => JSON.parse(text),
);
const tenantColumns = { ...getTableColumns(tenants), settings };

/** With a fence in `DB`, the control plane's own database, around one that lives elsewhere. */
export function insertTenant(db: Database, tenant: Tenant): Statement[] {
  const { id, shard } = tenant;
  const fence = db.insert(tenantFences).values({ tenantId: id, state: "left", relocationId: id });
  const row = { ...tenant, settings: JSON.stringify(tenant.settings) };
  return [db.insert(tenants).values(row), ...(shard === 0 ? [] : [fence])];
}

export function insertToken(db: Database, token: HashedApiToken): Statement {
  return db.insert(apiTokens).values(token);
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
      .select({ token: { ...tokenColumns, revokedAt: apiTokens.revokedAt }, tenant: tenantColumns })
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
    db.select(tokenColumns).from(apiTokens).where(isUsableToken(tenantId, id)).limit(1),
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

/** An earlier end stands, also one that came since the token was read. */
export function setTokenEnd(db: Database, tenantId: string, id: string, end: number): Statement {
  const earliest = sql`min(coalesce(${apiTokens.expiresAt}, ${end}), ${end})`;
  return db
    .update(apiTokens)
    .set({ expiresAt: earliest, endUnregistered: true })
    .where(isUsableToken(tenantId, id));
}

export function markRevoked(db: Database, tenantId: string, id: string, now: number): Statement {
  return db
    .update(apiTokens)
    .set({ revokedAt: now, endUnregistered: true })
    .where(isUsableToken(tenantId, id));
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
    db.select({ settings }).from(tenants).where(eq(tenants.id, tenantId)).limit(1),
  );
  return rows[0]?.settings;
}

/** What says where the objects of these tenants are. */
export async function listLocations(
  db: Database,
  tenantIds: readonly string[],
): Promise<Pick<Tenant, "id" | "jurisdiction" | "settings">[]> {
  // One parameter however many there are: D1 takes a hundred.
  const wanted = sql`${tenants.id} IN (SELECT value FROM json_each(${JSON.stringify(tenantIds)}))`;
  const { id, jurisdiction } = tenants;
  return await withinStoreTimeout(
    db.select({ id, jurisdiction, settings }).from(tenants).where(wanted),
  );
}

/** Lays the patch over what is set (RFC 7396), so that two patches at once both take effect. */
export function patchSettings(db: Database, tenantId: string, patch: SettingsPatch): Statement {
  const merged = sql`json_patch(${tenants.settings}, ${JSON.stringify(patch)})`;
  return db.update(tenants).set({ settings: merged }).where(eq(tenants.id, tenantId));
}

/** How long each of these tenants keeps events in D1, in days. */
export async function listRetentionDays(
  db: Database,
  tenantIds: readonly string[],
  defaultDays: number,
): Promise<ReadonlyMap<string, number>> {
  const ids = sql`(SELECT value FROM json_each(${JSON.stringify(tenantIds)}))`;
  const retentionDays = sql<number>`coalesce(${tenants.settings} ->> '$.audit.retention_days', ${defaultDays})`;
  const rows = await withinStoreTimeout(
    db.select({ id: tenants.id, retentionDays }).from(tenants).where(inArray(tenants.id, ids)),
  );
  return new Map(rows.map((row) => [row.id, row.retentionDays]));
}

/** Asks D1 for anything. @throws StoreError when it does not answer or is not migrated */
export async function pingDatabase(db: Database): Promise<void> {
  await withinStoreTimeout(db.select({ id: tenants.id }).from(tenants).limit(1));
}
