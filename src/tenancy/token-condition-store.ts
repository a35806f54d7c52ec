/**
 * Conditions on API tokens in the batch that a request writes. A batch whose condition does not hold writes
 * nothing. So what a request changes does not depend on what was true when the request arrived.
 */
import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import {
  type Database,
  d1Now,
  requireCondition,
  requireConditions,
  type Statement,
} from "../db/client.ts";
import { tenants } from "../db/tables.ts";
import { apiTokens } from "./tables.ts";

/** The message of `too_many` states it. */
const maxTokensPerTenant = 1_000;

/** The token that authenticated a request. */
export interface CallerToken {
  readonly tenantId: string;
  readonly tokenId: string;
}

export function isUnrevokedToken(tenantId: string, id: string): SQL {
  return sql`(${and(eq(apiTokens.tenantId, tenantId), eq(apiTokens.id, id), isNull(apiTokens.revokedAt))})`;
}

/** Whether a token has not expired at a time, Unix ms. */
function isUnexpiredAt(at: SQL): SQL {
  return sql`coalesce(${apiTokens.expiresAt} > ${at}, true)`;
}

/**
 * Whether a token has expired neither in real time nor at the request's time.
 * @param now Unix ms; the tenant's test clock if one was sent
 */
export function isUnexpired(now: number): SQL {
  return isUnexpiredAt(sql`max(${now}, ${d1Now})`);
}

function exists(condition: SQL): SQL {
  return sql`EXISTS (SELECT 1 FROM ${apiTokens} WHERE ${condition})`;
}

/** Whether the tenant is active: neither suspended nor being deleted. */
export function isActiveTenant(tenantId: string): SQL {
  return sql`EXISTS (SELECT 1 FROM ${tenants}
    WHERE ${tenants.id} = ${tenantId} AND ${tenants.status} = 'active')`;
}

/**
 * Fails the batch with `invalid_token` unless the caller's token is valid, and with `tenant_suspended` unless its
 * tenant is active. Every batch that a request with a token writes to `DB` begins with it.
 */
export function requireValidToken(db: Database, caller: CallerToken, now: number): Statement {
  const isValid = sql`${isUnrevokedToken(caller.tenantId, caller.tokenId)} AND ${isUnexpired(now)}`;
  return requireConditions(
    db,
    [exists(isValid), "invalid_token"],
    [isActiveTenant(caller.tenantId), "tenant_suspended"],
  );
}

/** Fails the batch with `not_found` if the token is revoked, or has expired at the request's time. */
export function requireActiveToken(
  db: Database,
  tenantId: string,
  id: string,
  now: number,
): Statement {
  const isActive = sql`${isUnrevokedToken(tenantId, id)} AND ${isUnexpiredAt(sql`${now}`)}`;
  return requireCondition(db, exists(isActive), "not_found");
}

/** Fails the batch with `not_found` if the token is revoked, but not if its row is gone. */
export function requireUnrevokedToken(db: Database, tenantId: string, id: string): Statement {
  const isRevoked = sql`${apiTokens.tenantId} = ${tenantId} AND ${apiTokens.id} = ${id}
    AND ${apiTokens.revokedAt} IS NOT NULL`;
  return requireCondition(db, sql`NOT ${exists(isRevoked)}`, "not_found");
}

/**
 * Fails the batch with `too_many` unless the tenant may have one more token. A token counts until it has
 * ended both in real time and at the request's time.
 * @param replacedId the token that a rotation replaces, which does not count
 */
export function requireTokenRoom(
  db: Database,
  tenantId: string,
  now: number,
  replacedId = "",
): Statement {
  // Two ranges of an index, so that expired tokens are not read.
  const count = (expiry: SQL) => sql`(SELECT count(*) FROM (
    SELECT 1 FROM ${apiTokens} WHERE ${apiTokens.tenantId} = ${tenantId} AND revoked_at IS NULL
      AND ${apiTokens.expiresAt} ${expiry} AND ${apiTokens.id} <> ${replacedId}
      LIMIT ${maxTokensPerTenant}))`;
  const total = sql`${count(sql`IS NULL`)} + ${count(sql`> min(${now}, ${d1Now})`)}`;
  return requireCondition(db, sql`${total} < ${maxTokensPerTenant}`, "too_many");
}
