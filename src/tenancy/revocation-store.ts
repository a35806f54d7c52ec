/** What a revocation needs to know of a tenant's API tokens, from the control plane. */
import { and, eq, isNull, ne, type SQL, sql } from "drizzle-orm";
import { awaitStore, type Database } from "../db/client.ts";
import { apiTokens } from "./tables.ts";
import {
  type CallerToken,
  isActiveTenant,
  isUnexpired,
  isUnrevokedToken,
} from "./token-condition-store.ts";

/** Whether a token has the permission to change tokens. */
const isWriter = sql`EXISTS (SELECT 1 FROM json_each(${apiTokens.permissions}) WHERE value = 'tokens:write')`;

export interface Revocable {
  /** The hash of the token to revoke; null if it does not exist or is revoked. */
  readonly hash: string | null;
  /** Whether that token has the permission to change tokens. */
  readonly isWriter: boolean;
  /** The hash of the caller's token; null if it is not valid. */
  readonly callerHash: string | null;
  readonly isTenantActive: boolean;
}

/**
 * Finds the token to revoke and the token that revokes it. Each is one search by the primary key.
 * @param caller undefined: the operator
 * @param now Unix ms; the tenant's test clock if one was sent
 * @throws StoreError
 */
export async function findRevocable(
  db: Database,
  tenantId: string,
  id: string,
  caller: CallerToken | undefined,
  now: number,
): Promise<Revocable> {
  const select = (column: SQL, condition: SQL) =>
    sql<string | null>`(SELECT ${column} FROM ${apiTokens} WHERE ${condition})`;
  const isToken = isUnrevokedToken(tenantId, id);
  const isCaller =
    caller && sql`${isUnrevokedToken(caller.tenantId, caller.tokenId)} AND ${isUnexpired(now)}`;
  const hash = sql`${apiTokens.hash}`;
  const rows = await awaitStore(
    db
      .select({
        hash: select(hash, isToken),
        isWriter: select(isWriter, isToken),
        callerHash: isCaller === undefined ? sql<null>`NULL` : select(hash, isCaller),
        isTenantActive: sql<number>`${isActiveTenant(tenantId)}`,
      })
      .from(sql`(SELECT 1)`),
  );
  const [row] = rows;
  return {
    hash: row?.hash ?? null,
    isWriter: Number(row?.isWriter) === 1,
    callerHash: row?.callerHash ?? null,
    isTenantActive: row?.isTenantActive === 1,
  };
}

/**
 * Lists the hashes of a tenant's valid tokens with the permission to change tokens, without one of them.
 * @param now Unix ms; the tenant's test clock if one was sent
 * @throws StoreError
 */
export async function listOtherWriters(
  db: Database,
  tenantId: string,
  exceptId: string,
  now: number,
): Promise<string[]> {
  const rows = await awaitStore(
    db
      .select({ hash: apiTokens.hash })
      .from(apiTokens)
      .where(
        and(
          eq(apiTokens.tenantId, tenantId),
          isNull(apiTokens.revokedAt),
          ne(apiTokens.id, exceptId),
          isUnexpired(now),
          isWriter,
        ),
      ),
  );
  return rows.map(({ hash }) => hash);
}
