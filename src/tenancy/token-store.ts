/**
 * API tokens, in the control plane. Changes run in one batch with their events; see
 * audit/control-outbox/change.ts.
 */
import { and, asc, eq, gt, isNull, sql } from "drizzle-orm";
import { awaitStore, type Database, runBatch, type Statement } from "../db/client.ts";
import { tenants } from "../db/tables.ts";
import { orderInTurn } from "../db/turns.ts";
import type { Permission } from "./permission.ts";
import { apiTokens } from "./tables.ts";
import { type Tenant, tenantColumns } from "./tenant-store.ts";

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
      readonly tenant: Tenant;
    }
  | undefined
> {
  const rows = await awaitStore(
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
  const rows = await awaitStore(
    db.select(tokenColumns).from(apiTokens).where(isUnrevokedToken(tenantId, id)).limit(1),
  );
  return rows[0];
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

export function markRevoked(db: Database, tenantId: string, id: string, now: number): Statement {
  return db
    .update(apiTokens)
    .set({ revokedAt: now, endUnregistered: true })
    .where(isUnrevokedToken(tenantId, id));
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

export async function touchToken(db: Database, id: string, now: number): Promise<void> {
  await awaitStore(db.update(apiTokens).set({ lastUsedAt: now }).where(eq(apiTokens.id, id)));
}
