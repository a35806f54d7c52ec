/**
 * API tokens, in the control plane. Changes run in one batch with their events; see
 * audit/control-outbox/change.ts.
 */
import { and, asc, eq, getTableColumns, gt, inArray, isNull, lt, lte, or, sql } from "drizzle-orm";
import type { AuditKey } from "../audit/personal.ts";
import { firstIdOf } from "../crypto/id.ts";
import { awaitStore, type Database, runBatch, type Statement } from "../db/client.ts";
import { deleteWhere } from "../db/delete-in-steps.ts";
import { tenants } from "../db/tables.ts";
import { orderInTurn } from "../db/turns.ts";
import type { Permission } from "./permission.ts";
import { apiTokens } from "./tables.ts";
import type { StoredTenant } from "./tenant-store.ts";
import { isUnrevokedToken } from "./token-condition-store.ts";

/** As long as events stay in D1 by default, and longer than D1 can be restored (30 days). */
const endedTokenLifetimeMs = 400 * 24 * 60 * 60 * 1000;

/** Times are Unix ms. */
export interface ApiToken {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** The lifetime that the token was created with; null: unlimited. */
  readonly lifetimeMs: number | null;
  readonly lastUsedAt: number | null;
}

interface HashedApiToken extends ApiToken {
  readonly hash: string;
}

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

/** The columns that a request with a token needs. */
const { auditKey: _auditKey, ...tenantColumns } = getTableColumns(tenants);

export function insertToken(db: Database, token: HashedApiToken): Statement {
  return db.insert(apiTokens).values(token);
}

/**
 * Finds a token with its tenant, also one that is revoked or expired.
 * @throws StoreError, as do all of these
 */
export async function findTokenByHash(
  db: Database,
  hash: string,
): Promise<
  | {
      readonly token: ApiToken & { readonly revokedAt: number | null };
      readonly tenant: StoredTenant & { readonly destinations: readonly string[] };
    }
  | undefined
> {
  const rows = await awaitStore(
    db
      .select({
        token: { ...tokenColumns, revokedAt: apiTokens.revokedAt },
        tenant: tenantColumns,
      })
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
  const rows = await awaitStore(
    db.select(tokenColumns).from(apiTokens).where(isUnrevokedToken(tenantId, id)).limit(1),
  );
  return rows[0];
}

/**
 * Finds the names of tokens, also of those that have ended, and the tenant's audit key.
 * @returns the names by id, without those whose rows are deleted
 */
export async function findNamesAndAuditKey(
  db: Database,
  tenantId: string,
  ids: readonly string[],
): Promise<{ readonly names: ReadonlyMap<string, string>; readonly auditKey: AuditKey | null }> {
  const wanted = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const isWanted = and(eq(apiTokens.tenantId, tenants.id), inArray(apiTokens.id, wanted));
  const rows = await awaitStore(
    db
      .select({ auditKey: tenants.auditKey, id: apiTokens.id, name: apiTokens.name })
      .from(tenants)
      .leftJoin(apiTokens, isWanted)
      .where(eq(tenants.id, tenantId)),
  );
  const names = rows.flatMap(({ id, name }) =>
    id === null || name === null ? [] : [[id, name] as const],
  );
  return { names: new Map(names), auditKey: rows[0]?.auditKey ?? null };
}

export async function listTokens(
  db: Database,
  tenantId: string,
  after: string | undefined,
  limit: number,
): Promise<ApiToken[]> {
  return await awaitStore(
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

/**
 * Ends a token at a time, Unix ms. An earlier end stays, also one that was set since the token was read.
 */
export function setTokenEnd(db: Database, tenantId: string, id: string, end: number): Statement {
  const earliest = sql`min(coalesce(${apiTokens.expiresAt}, ${end}), ${end})`;
  return db
    .update(apiTokens)
    .set({ expiresAt: earliest, endUnregistered: true })
    .where(isUnrevokedToken(tenantId, id));
}

/**
 * Marks a token as revoked.
 * @param at real time, Unix ms
 * @param isRegistered whether the tenant's token register has the revocation
 */
export function markRevoked(
  db: Database,
  { tenantId, id }: Pick<ApiToken, "tenantId" | "id">,
  at: number,
  isRegistered: boolean,
): Statement {
  return db
    .update(apiTokens)
    .set({ revokedAt: at, endUnregistered: !isRegistered })
    .where(isUnrevokedToken(tenantId, id));
}

/** Deletes a revoked token from a database that takes no UPDATE. The token register has the revocation. */
export async function deleteToken(
  db: Database,
  { tenantId, id }: Pick<ApiToken, "tenantId" | "id">,
): Promise<void> {
  await awaitStore(
    db.delete(apiTokens).where(and(eq(apiTokens.tenantId, tenantId), eq(apiTokens.id, id))),
  );
}

/** The end of a token that the tenant's token register may not have. */
export interface UnregisteredEnd {
  readonly tenantId: string;
  readonly id: string;
  readonly hash: string;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

/** Spelled as in the partial index, so that SQLite uses it. */
const isUnregistered = sql`end_unregistered`;

/** Lists ends that a register may not have, tenants in turn. */
export async function listUnregisteredEnds(
  db: Database,
  tenantId: string | undefined,
  limit: number,
): Promise<UnregisteredEnd[]> {
  const { id, hash, expiresAt, revokedAt } = apiTokens;
  return await awaitStore(
    db
      .select({ tenantId: apiTokens.tenantId, id, hash, expiresAt, revokedAt })
      .from(apiTokens)
      .where(
        and(isUnregistered, tenantId === undefined ? undefined : eq(apiTokens.tenantId, tenantId)),
      )
      .orderBy(...(tenantId === undefined ? [orderInTurn("token_ends", apiTokens.tenantId)] : []))
      .limit(limit),
  );
}

/** Marks ends as registered, except those that have changed since they were listed. */
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

/**
 * Deletes tokens that ended long ago. The clock of a test tenant may set an expiry to any time, so only the
 * revoked tokens of a test tenant are deleted.
 * @param now real time, Unix ms
 */
export async function deleteEndedTokens(db: Database, now: number): Promise<void> {
  const cutOff = now - endedTokenLifetimeMs;
  const isLive = sql`${apiTokens.tenantId} IN (SELECT ${tenants.id} FROM ${tenants} WHERE ${tenants.mode} = 'live')`;
  const isLongExpired = and(lte(apiTokens.expiresAt, cutOff), isLive);
  // The id begins with the time of creation, so the younger tokens are not read.
  const isOld = lt(apiTokens.id, firstIdOf(cutOff));
  const hasEnded = or(lte(apiTokens.revokedAt, cutOff), isLongExpired);
  await deleteWhere(db, apiTokens, [apiTokens.id], and(isOld, hasEnded));
}

/** Records a use, unless D1 has a later one. */
export async function touchToken(db: Database, id: string, now: number): Promise<void> {
  await awaitStore(
    db
      .update(apiTokens)
      .set({ lastUsedAt: now })
      .where(and(eq(apiTokens.id, id), sql`coalesce(${apiTokens.lastUsedAt}, 0) < ${now}`)),
  );
}
