/** `/v1/tokens`: the tenant's own API tokens. */
import { z } from "zod";
import { controlDbOf } from "../db/shards.ts";
import { createInvalidRequest } from "../errors.ts";
import { anyToken, requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import {
  cursor,
  id,
  instant,
  limit,
  pageOf,
  requestInstant,
  toRfc3339,
  toRfc3339OrNull,
} from "../http/schemas.ts";
import { createToken, type IssuedToken, rotateToken } from "../tenancy/change-tokens.ts";
import {
  documentPermissions,
  isPermitted,
  permissionOf,
  permissions,
} from "../tenancy/permission.ts";
import { revokeToken } from "../tenancy/revoke-token.ts";
import { type ApiToken, listTokens } from "../tenancy/token-store.ts";
import { createTextSchema } from "../text-schema.ts";

const name = createTextSchema(1, 100).meta({ examples: ["backend"] });

const permissionSchema = z
  .enum([...permissions, ...documentPermissions])
  .transform((spelled, context) => {
    const permission = permissionOf(spelled);
    if (permission !== undefined) return permission;
    context.addIssue({ code: "custom", message: "is not a permission" });
    return z.NEVER;
  });

const tokenFields = {
  id,
  name: z.string().meta({ examples: ["backend"] }),
  permissions: z.array(z.enum(permissions)),
  created_at: instant,
  expires_at: instant.nullable().meta({ examples: [null] }),
  last_used_at: instant.nullable(),
};
const tokenSchema = z.object(tokenFields).meta({ id: "ApiToken" });
export const issuedTokenSchema = z
  .object({
    ...tokenFields,
    secret: z.string().meta({
      description: "The API token itself, which is shown once.",
      examples: ["idp_live_…"],
    }),
  })
  .meta({ id: "IssuedApiToken" });

function showToken(token: ApiToken) {
  return {
    id: token.id,
    name: token.name,
    permissions: [...token.permissions],
    created_at: toRfc3339(token.createdAt),
    expires_at: toRfc3339OrNull(token.expiresAt),
    last_used_at: toRfc3339OrNull(token.lastUsedAt),
  };
}

export function showIssuedToken(token: IssuedToken) {
  return { ...showToken(token), secret: token.secret };
}

const maxOverlapSeconds = 30 * 24 * 60 * 60;
const defaultOverlapSeconds = 60 * 60;

const wantedToken = z.strictObject({
  name,
  permissions: z
    .array(permissionSchema)
    .min(1)
    .max(permissions.length * 3),
  expires_at: requestInstant.optional().meta({
    description: "When the token expires; without it, never.",
    examples: ["2030-01-01T00:00:00Z"],
  }),
});
export const newTokenBody = z.strictObject({ token: wantedToken });

/** @param now Unix ms. @throws AppError `invalid_request` for an expiry in the past */
export function readWantedToken(token: z.output<typeof wantedToken>, now: number) {
  if (token.expires_at !== undefined && token.expires_at <= now) {
    throw createInvalidRequest([{ path: "token.expires_at", message: "must be in the future" }]);
  }
  return {
    name: token.name,
    permissions: permissions.filter((permission) => token.permissions.includes(permission)),
    lifetimeMs: token.expires_at === undefined ? null : token.expires_at - now,
  };
}

export const newTokenResponses = {
  201: {
    description: "The token. Its secret is shown once.",
    body: z.object({ token: issuedTokenSchema }),
  },
};

export const tokenListQuery = z.strictObject({ limit, after: cursor });

export const tokenListResponses = {
  200: {
    description: "The tokens that are not revoked, including expired ones.",
    body: z.object({
      tokens: z.array(tokenSchema),
      has_more: z.boolean(),
      next_after: id.nullable(),
    }),
  },
};

/** @throws StoreError */
export async function listTokenPage(
  env: Env,
  tenantId: string,
  { limit: size, after }: z.output<typeof tokenListQuery>,
) {
  const rows = await listTokens(controlDbOf(env), tenantId, after, size + 1);
  const { page, ...cursor } = pageOf(rows, size);
  return { tokens: page.map(showToken), ...cursor };
}

const ownTokenSchema = z.object({
  id,
  tenant_id: id,
  mode: z.enum(["live", "test"]).meta({ description: "The mode of the tenant." }),
  permissions: z.array(z.enum(permissions)).meta({
    description: "What the token may do, with the permissions that others include.",
  }),
  expires_at: instant.nullable().meta({ examples: [null] }),
});

export const tokenRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/token",
      name: "getOwnToken",
      summary: "Read what the token of this request may do",
      description: "Returns the permissions and the tenant of the API token that the request has.",
      tag: "Tenancy",
      access: anyToken,
      body: none,
      query: none,
      responses: {
        200: { description: "The token.", body: z.object({ token: ownTokenSchema }) },
      },
    },
    async ({ caller: { tokenId, tenantId, mode, permissions: given, expiresAt } }) =>
      respond(200, {
        token: {
          id: tokenId,
          tenant_id: tenantId,
          mode,
          permissions: permissions.filter((permission) => isPermitted(given, permission)),
          expires_at: toRfc3339OrNull(expiresAt),
        },
      }),
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/tokens",
      name: "createToken",
      summary: "Create an API token",
      description: "Creates an API token with some permissions. Its secret is shown once.",
      tag: "Tenancy",
      access: requirePermission("tokens:write"),
      body: newTokenBody,
      query: none,
      responses: newTokenResponses,
      errors: ["too_many"],
    },
    async (request) => {
      const { token } = request.body;
      const { tenantId, mode } = request.caller;
      const issued = await createToken(
        request,
        { id: tenantId, mode },
        readWantedToken(token, request.now),
      );
      return respond(201, { token: showIssuedToken(issued) });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/tokens",
      name: "listTokens",
      summary: "List the tenant's API tokens, oldest first",
      description: "Lists the tenant's API tokens that are not revoked, without their secrets.",
      tag: "Tenancy",
      access: requirePermission("tokens:read"),
      body: none,
      query: tokenListQuery,
      responses: tokenListResponses,
    },
    async ({ env, caller: { tenantId }, query }) =>
      respond(200, await listTokenPage(env, tenantId, query)),
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/tokens/:id/rotate",
      name: "rotateToken",
      summary: "Replace an API token; the old one remains valid for the overlap",
      description: "Creates a token that replaces another. The old one ends after the overlap.",
      tag: "Tenancy",
      access: requirePermission("tokens:write"),
      body: z.strictObject({
        token: z.strictObject({
          overlap_seconds: z.int().min(0).max(maxOverlapSeconds).default(defaultOverlapSeconds),
        }),
      }),
      query: none,
      responses: newTokenResponses,
      errors: ["not_found", "too_many"],
    },
    async (request) => {
      const { overlap_seconds } = request.body.token;
      const { tenantId, mode } = request.caller;
      const issued = await rotateToken(
        request,
        { id: tenantId, mode },
        request.param("id"),
        overlap_seconds,
      );
      return respond(201, { token: showIssuedToken(issued) });
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/tokens/:id",
      name: "revokeToken",
      summary: "Revoke an API token, everywhere within 30 s",
      description: "Revokes a token. It is refused everywhere within 30 seconds.",
      tag: "Tenancy",
      access: requirePermission("tokens:write"),
      body: none,
      query: none,
      responses: { 204: { description: "The token is revoked." } },
      errors: ["not_found", "last_token"],
    },
    async (request) => {
      await revokeToken(request, request.caller.tenantId, request.param("id"));
      return respond(204, null);
    },
  ),
];
