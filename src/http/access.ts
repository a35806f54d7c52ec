/** Who calls, and whether they may: bearer tokens as RFC 6750 has them. */
import { timingSafeEqual } from "../crypto/constant-time.ts";
import { sha256Of } from "../crypto/digest.ts";
import { AppError, invalidRequest } from "../errors.ts";
import type { ResolvedToken, TenantCaller } from "../tenancy/caller.ts";
import type { Permission } from "../tenancy/permission.ts";
import type { Admission, AppContext, ResolveToken } from "./exchange.ts";
import { countRequest } from "./rate-limit.ts";
import { timeOf } from "./test-clock.ts";

/** A way in: who it is for, and the check at the door. */
export interface Access<Caller> {
  readonly kind: "public" | "operator" | Permission;
  /** @throws AppError when the request may not pass */
  admit(c: AppContext, resolveToken: ResolveToken): Promise<Admission<Caller>>;
}

function invalidToken(): AppError {
  return new AppError("invalid_token", {
    headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' },
  });
}

function presentedToken(c: AppContext): string {
  // RFC 6750 §5.3: a token in the address ends up in logs, so none is taken from there.
  if (c.req.query("access_token") !== undefined) {
    throw invalidRequest([{ path: "access_token", message: "must not be sent in the address" }]);
  }
  const header = c.req.header("Authorization");
  if (header === undefined || header.trim() === "") {
    throw new AppError("missing_token", { headers: { "WWW-Authenticate": "Bearer" } });
  }
  const [, token] = /^Bearer +([\x21-\x7e]+) *$/i.exec(header) ?? [];
  if (token === undefined) throw invalidToken();
  return token;
}

/** For anybody; nothing is asked. */
export const anybody: Access<undefined> = {
  kind: "public",
  async admit(c) {
    return {
      caller: undefined,
      actor: { type: "system", id: null },
      now: c.get("arrivedAt"),
    };
  },
};

/** For who runs the service. */
export const operator: Access<undefined> = {
  kind: "operator",
  async admit(c) {
    const token = presentedToken(c);
    const { operatorTokenDigest } = c.get("config");
    if (!timingSafeEqual(sha256Of(token), operatorTokenDigest)) throw invalidToken();
    return {
      caller: undefined,
      actor: { type: "operator", id: null },
      now: timeOf(c.req.header("Test-Clock"), "live", c.get("arrivedAt")),
    };
  },
};

/** @param now Unix ms; the tenant's test clock where one was sent. @throws AppError `invalid_token` */
function requireCurrent({ caller, revoked }: ResolvedToken, now: number): void {
  if (revoked || (caller.expiresAt !== null && now >= caller.expiresAt)) throw invalidToken();
}

/** For a tenant's API token with this permission. */
export function tenantWith(permission: Permission): Access<TenantCaller> {
  return {
    kind: permission,
    async admit(c, resolveToken) {
      const arrivedAt = c.get("arrivedAt");
      const token = presentedToken(c);
      const resolve = async (anew: boolean): Promise<ResolvedToken> => {
        const resolved = await resolveToken(c.env, token, arrivedAt, anew, (work) =>
          c.executionCtx.waitUntil(work),
        );
        if (resolved === undefined) throw invalidToken();
        return resolved;
      };
      const resolved = await resolve(false);
      const { caller, revoked } = resolved;
      const { tenantId, tokenId, location } = caller;
      c.set("attribution", { tenantId, tokenId, location, at: arrivedAt });
      if (revoked) throw invalidToken();
      const now = timeOf(c.req.header("Test-Clock"), caller.mode, arrivedAt);
      c.set("attribution", { tenantId, tokenId, location, at: now });
      requireCurrent(resolved, now);
      if (!caller.permissions.includes(permission)) {
        throw new AppError("insufficient_scope", {
          sentence: `The API token lacks the permission ${permission}; use a token that carries it.`,
          headers: {
            "WWW-Authenticate": `Bearer error="insufficient_scope", scope="${permission}"`,
          },
        });
      }
      const rate = await countRequest(c.env, tokenId, arrivedAt);
      c.set("rates", [rate]);
      if (rate.remaining === 0) {
        throw new AppError("rate_limited", {
          headers: { "Retry-After": String(rate.resetSeconds) },
        });
      }
      // A revoked token that is remembered for some seconds more must not leave an heir.
      if (permission === "tokens:write" && resolved.isCached) {
        requireCurrent(await resolve(true), now);
      }
      return { caller, actor: { type: "api_token", id: tokenId }, now };
    },
  };
}
