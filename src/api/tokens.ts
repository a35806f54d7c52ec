/** `/v1/tokens`: the tenant's own API tokens. */
import { z } from "zod";
import { controlDb } from "../db/shards.ts";
import { invalidRequest } from "../errors.ts";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import {
  id,
  instant,
  instantIn,
  limit,
  pageOf,
  plainText,
  rfc3339,
  rfc3339OrNull,
} from "../http/schemas.ts";
import { documentPermissions, permissionOf, permissions } from "../tenancy/permission.ts";
import { type ApiToken, listTokens } from "../tenancy/token-store.ts";
import {
  createToken,
  type IssuedToken,
  revokeToken,
  rotateToken,
} from "../tenancy/change-tokens.ts";

const name = plainText(1, 100);

const permissionIn = z
  .enum([...permissions, ...documentPermissions])
  .transform((spelled, context) => {
    const permission = permissionOf(spelled);
    if (permission !== undefined) return permission;
    context.addIssue({ code: "custom", message: "is not a permission" });
    return z.NEVER;
  });

const tokenFields = {
  id,
  name: z.string(),
  permissions: z.array(z.enum(permissions)),
  created_at: instant,
  expires_at: instant.nullable(),
  last_used_at: instant.nullable(),
};
const tokenAnswer = z.object(tokenFields).meta({ id: "ApiToken" });
export const issuedTokenAnswer = z
  .object({
    ...tokenFields,
    secret: z.string().meta({ description: "The API token itself, shown only here." }),
  })
  .meta({ id: "IssuedApiToken" });

function showToken(token: ApiToken) {
  return {
    id: token.id,
    name: token.name,
    permissions: [...token.permissions],
    created_at: rfc3339(token.createdAt),
    expires_at: rfc3339OrNull(token.expiresAt),
    last_used_at: rfc3339OrNull(token.lastUsedAt),
  };
}

export function showIssuedToken(token: IssuedToken) {
  return { ...showToken(token), secret: token.secret };
}

const longestOverlapSeconds = 30 * 24 * 60 * 60;
const defaultOverlapSeconds = 60 * 60;

export const tokenRoutes = [
  route(
    {
      method: "post",
      path: "/v1/tokens",
      name: "createToken",
      summary: "Create an API token",
      tag: "Tenancy",
      access: tenantWith("tokens:write"),
      body: z.strictObject({
        token: z.strictObject({
          name,
          permissions: z
            .array(permissionIn)
            .min(1)
            .max(permissions.length * 3),
          expires_at: instantIn.optional(),
        }),
      }),
      query: none,
      answers: {
        201: {
          description: "The token; its secret is shown only here.",
          body: z.object({ token: issuedTokenAnswer }),
        },
      },
    },
    async (exchange) => {
      const { token } = exchange.body;
      if (token.expires_at !== undefined && token.expires_at <= exchange.now) {
        throw invalidRequest([{ path: "token.expires_at", message: "must be in the future" }]);
      }
      const issued = await createToken(exchange, {
        name: token.name,
        permissions: permissions.filter((permission) => token.permissions.includes(permission)),
        lifetimeMs: token.expires_at === undefined ? null : token.expires_at - exchange.now,
      });
      return reply(201, { token: showIssuedToken(issued) });
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/tokens",
      name: "listTokens",
      summary: "List the tenant's API tokens, oldest first",
      tag: "Tenancy",
      access: tenantWith("tokens:write"),
      body: none,
      query: z.strictObject({ limit, after: id.optional() }),
      answers: {
        200: {
          description: "Tokens that are not revoked; expired ones are among them.",
          body: z.object({
            tokens: z.array(tokenAnswer),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
    },
    async ({ env, caller: { tenantId }, query }) => {
      const rows = await listTokens(controlDb(env), tenantId, query.after, query.limit + 1);
      const { page, ...cursor } = pageOf(rows, query.limit);
      return reply(200, { tokens: page.map(showToken), ...cursor });
    },
  ),
  route(
    {
      method: "post",
      path: "/v1/tokens/:id/rotate",
      name: "rotateToken",
      summary: "Replace an API token; the old one goes on for the overlap",
      tag: "Tenancy",
      access: tenantWith("tokens:write"),
      body: z.strictObject({
        token: z.strictObject({
          overlap_seconds: z.int().min(0).max(longestOverlapSeconds).default(defaultOverlapSeconds),
        }),
      }),
      query: none,
      answers: {
        201: {
          description: "The new token; its secret is shown only here.",
          body: z.object({ token: issuedTokenAnswer }),
        },
      },
      errors: ["not_found"],
    },
    async (exchange) => {
      const { overlap_seconds } = exchange.body.token;
      const issued = await rotateToken(exchange, exchange.param("id"), overlap_seconds);
      return reply(201, { token: showIssuedToken(issued) });
    },
  ),
  route(
    {
      method: "delete",
      path: "/v1/tokens/:id",
      name: "revokeToken",
      summary: "Revoke an API token; refused everywhere within 30 s",
      tag: "Tenancy",
      access: tenantWith("tokens:write"),
      body: none,
      query: none,
      answers: { 204: { description: "Revoked." } },
      errors: ["not_found"],
    },
    async (exchange) => {
      await revokeToken(exchange, exchange.param("id"));
      return reply(204, null);
    },
  ),
];
