/** Authentication and permissions: bearer tokens as in RFC 6750. */
import { timingSafeEqual } from "../crypto/constant-time.ts";
import { sha256Of } from "../crypto/digest.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import type { ResolvedToken, TenantCaller } from "../tenancy/caller.ts";
import { isPermitted, type Permission } from "../tenancy/permission.ts";
import { resolveToken } from "../tenancy/resolve-token.ts";
import { readActingFor } from "./acting-for.ts";
import { requireOperatorToken } from "./operator-attempts.ts";
import { countRequest } from "./rate-limit.ts";
import type { AppContext, Authentication, RouteStep } from "./request-context.ts";
import { resolveRequestTime } from "./test-clock.ts";

/** The kinds of caller that may use a route. */
export interface Access<Caller> {
  readonly kind: "public" | "operator" | "any token" | Permission;
  /** @throws AppError if the caller may not call the route */
  authenticate(c: AppContext): Promise<Authentication<Caller>>;
}

export function authenticate<Caller, Prepared>(
  access: Access<Caller>,
): RouteStep<Caller, Prepared> {
  return async (c, next) => {
    const authentication = await access.authenticate(c);
    const actingFor = access.kind === "public" ? undefined : readActingFor(c);
    const { actor } = authentication;
    c.set("authentication", {
      ...authentication,
      actor: actingFor === undefined ? actor : { ...actor, actingFor },
    });
    await next();
  };
}

/** @throws AppError */
function readBearerToken(c: AppContext): string {
  // A token in the URL ends up in logs, so none is accepted there (RFC 6750 §5.3).
  if (c.req.query("access_token") !== undefined) {
    throw createInvalidRequest([{ path: "access_token", message: "must not be sent in the URL" }]);
  }
  const header = c.req.header("Authorization");
  if (header === undefined || header.trim() === "") {
    throw new AppError("missing_token");
  }
  if (!/^Bearer( |$)/i.test(header)) {
    throw new AppError("invalid_token", {
      message:
        "The Authorization header does not begin with 'Bearer '; send 'Authorization: Bearer <token>'.",
    });
  }
  const [, token] = /^Bearer +([\x21-\x7e]+) *$/i.exec(header) ?? [];
  if (token === undefined) throw new AppError("invalid_token");
  return token;
}

async function noCheck(): Promise<void> {}

/** For everyone, without a token. */
export const anyone: Access<undefined> = {
  kind: "public",
  async authenticate(c) {
    return {
      caller: undefined,
      actor: { type: "system", id: null },
      now: c.get("arrivedAt"),
      checkAgain: noCheck,
    };
  },
};

/** For the operator's token. */
export const operator: Access<undefined> = {
  kind: "operator",
  async authenticate(c) {
    const token = readBearerToken(c);
    const { operatorTokenDigest } = c.get("config");
    requireOperatorToken(
      c.req.header("CF-Connecting-IP"),
      c.get("arrivedAt"),
      () => timingSafeEqual(sha256Of(token), operatorTokenDigest),
      (work) => c.executionCtx.waitUntil(work),
    );
    c.set("isOperator", true);
    return {
      caller: undefined,
      actor: { type: "operator", id: null },
      now: resolveRequestTime(c.req.header("Test-Clock"), "live", c.get("arrivedAt")),
      // The operator's token is part of the deployment, and stays valid as long as this isolate runs.
      checkAgain: noCheck,
    };
  },
};

/**
 * @param now Unix ms; the tenant's test clock if one was sent
 * @throws AppError `invalid_token`, `tenant_suspended`
 */
function requireCurrent({ caller, revoked, isTenantActive }: ResolvedToken, now: number): void {
  if (revoked || (caller.expiresAt !== null && now >= caller.expiresAt))
    throw new AppError("invalid_token");
  if (!isTenantActive) throw new AppError("tenant_suspended");
}

/** @param realTime Unix ms. @throws AppError */
async function resolveKnownToken(
  c: AppContext,
  token: string,
  realTime: number,
): Promise<ResolvedToken> {
  const waitUntil = (work: Promise<unknown>) => c.executionCtx.waitUntil(work);
  const resolved = await resolveToken(c.env, token, realTime, waitUntil);
  if (resolved === undefined) throw new AppError("invalid_token");
  return resolved;
}

/** @param kind the permission that the token must have */
function requireToken(kind: "any token" | Permission): Access<TenantCaller> {
  return {
    kind,
    async authenticate(c) {
      const arrivedAt = c.get("arrivedAt");
      const token = readBearerToken(c);
      const resolved = await resolveKnownToken(c, token, arrivedAt);
      const { caller, revoked } = resolved;
      const { tenantId, tokenId, location, destinations } = caller;
      const presented = { tenantId, tokenId, location, destinations };
      c.set("presentedToken", { ...presented, at: arrivedAt });
      if (revoked) throw new AppError("invalid_token");
      const now = resolveRequestTime(c.req.header("Test-Clock"), caller.mode, arrivedAt);
      c.set("presentedToken", { ...presented, at: now });
      requireCurrent(resolved, now);
      if (kind !== "any token" && !isPermitted(caller.permissions, kind)) {
        throw new AppError("insufficient_scope", {
          message: `The API token lacks the permission ${kind}; use a token that has it.`,
          headers: {
            "WWW-Authenticate": `Bearer error="insufficient_scope", scope="${kind}"`,
          },
        });
      }
      const rateLimits = await countRequest(c.env, caller, arrivedAt);
      c.set("rateLimits", rateLimits);
      const exceeded = rateLimits.find(({ remaining }) => remaining === 0);
      if (exceeded !== undefined) {
        throw new AppError("rate_limited", {
          headers: { "Retry-After": String(exceeded.resetSeconds) },
        });
      }
      const checkAgain = async () => {
        const realTime = Date.now();
        const current = await resolveKnownToken(c, token, realTime);
        requireCurrent(current, now + realTime - arrivedAt);
      };
      return { caller, actor: { type: "api_token", id: tokenId }, now, checkAgain };
    },
  };
}

/** For a tenant's API token with this permission. */
export function requirePermission(permission: Permission): Access<TenantCaller> {
  return requireToken(permission);
}

/** For each of a tenant's API tokens, whatever it permits. */
export const anyToken: Access<TenantCaller> = requireToken("any token");
