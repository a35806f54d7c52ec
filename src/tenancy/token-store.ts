/**
 * API tokens, in the control plane. Changes run in one batch with their events; see
 * audit/control-outbox/change.ts.
 */
import { and, asc, eq, getTableColumns, gt, isNull, or, type SQL, sql } from "drizzle-orm";
import {
  awaitStore,
  type Database,
  requireCondition,
  runBatch,
  type Statement,
} from "../db/client.ts";
import { tenants } from "../db/tables.ts";
import type { Permission } from "./permission.ts";
import { apiTokens } from "./tables.ts";
import type { StoredTenant } from "./tenant-store.ts";

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

/** The message of `too_many` states it. */
export const maxTokensPerTenant = 1_000;

const isUnrevokedToken = (tenantId: string, id: string) =>
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

/** D1's clock, Unix ms. */
const realNow = sql`CAST(unixepoch('subsec') * 1000 AS INTEGER)`;

/** Whether a token is neither revoked nor expired at a time, Unix ms. */
function isActive(tenantId: string, id: string, at: SQL): SQL {
  return sql`EXISTS (SELECT 1 FROM ${apiTokens} WHERE ${isUnrevokedToken(tenantId, id)}
    AND coalesce(${apiTokens.expiresAt} > ${at}, true))`;
}

/**
 * For each batch that a request with an API token writes: the batch fails with `invalid_token` unless the
 * token is neither revoked nor expired when the batch runs, by real time and by the request's time.
 * @param now Unix ms; the tenant's test clock if one was sent
 */
export function requireValidToken(
  db: Database,
  caller: { readonly tenantId: string; readonly tokenId: string },
  now: number,
): Statement {
  const at = sql`max(${now}, ${realNow})`;
  return requireCondition(db, isActive(caller.tenantId, caller.tokenId, at), "invalid_token");
}

/** For a batch: it fails with `not_found` if the token has ended at the request's time. */
export function requireActiveToken(
  db: Database,
  tenantId: string,
  id: string,
  now: number,
): Statement {
  return requireCondition(db, isActive(tenantId, id, sql`${now}`), "not_found");
}

/** For a batch: it fails with `not_found` if the token is revoked, but not if its row is gone. */
export function requireUnrevokedToken(db: Database, tenantId: string, id: string): Statement {
  const isRevoked = sql`EXISTS (SELECT 1 FROM ${apiTokens} WHERE ${apiTokens.tenantId} = ${tenantId}
    AND ${apiTokens.id} = ${id} AND ${apiTokens.revokedAt} IS NOT NULL)`;
  return requireCondition(db, sql`NOT ${isRevoked}`, "not_found");
}

/**
 * For a batch: it fails with `too_many` unless the tenant may have one more token. A token counts until it
 * has ended in real time and at the request's time.
 * @param replacedId the token that a rotation replaces, which does not count
 */
export function requireTokenRoom(
  db: Database,
  tenantId: string,
  now: number,
  replacedId = "",
): Statement {
  const counted = sql`SELECT 1 FROM ${apiTokens} WHERE ${apiTokens.tenantId} = ${tenantId}
    AND ${apiTokens.revokedAt} IS NULL AND ${apiTokens.id} <> ${replacedId}
    AND coalesce(${apiTokens.expiresAt} > min(${now}, ${realNow}), true) LIMIT ${maxTokensPerTenant}`;
  const hasRoom = sql`(SELECT count(*) FROM (${counted})) < ${maxTokensPerTenant}`;
  return requireCondition(db, hasRoom, "too_many");
}

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
      readonly tenant: StoredTenant;
    }
  | undefined
> {
  const rows = await awaitStore(
    db
      .select({
        token: { ...tokenColumns, revokedAt: apiTokens.revokedAt },
        tenant: getTableColumns(tenants),
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
 * Finds the hashes of the caller's token and of another one, by id, except that of a revoked token.
 * @throws AppError `invalid_token` if the caller's token is not valid
 */
export async function findHashes(
  db: Database,
  caller: { readonly tenantId: string; readonly tokenId: string },
  now: number,
  id: string,
): Promise<ReadonlyMap<string, string>> {
  const { tenantId, tokenId } = caller;
  const isWanted = or(isUnrevokedToken(tenantId, tokenId), isUnrevokedToken(tenantId, id));
  const [, rows] = await awaitStore(
    db.batch([
      requireValidToken(db, caller, now),
      db.select({ id: apiTokens.id, hash: apiTokens.hash }).from(apiTokens).where(isWanted),
    ]),
  );
  return new Map(rows.map((row) => [row.id, row.hash]));
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

export async function touchToken(db: Database, id: string, now: number): Promise<void> {
  await awaitStore(db.update(apiTokens).set({ lastUsedAt: now }).where(eq(apiTokens.id, id)));
}
