/** `/v1/tenants` for the operator, `/v1/tokens` and `/v1/settings` for the tenant. */
import { z } from "zod";
import { controlDb } from "../db/shards.ts";
import { invalidRequest } from "../errors.ts";
import { operator, tenantWith } from "../http/access.ts";
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
import { changeSettings, getSettings } from "../tenancy/change-settings.ts";
import { documentSpellings, permissionOf, permissions } from "../tenancy/permission.ts";
import { jurisdictions } from "../location.ts";
import { settingsPatchSchema, settingsSchema } from "../tenancy/settings.ts";
import { type ApiToken, listTokens } from "../tenancy/store.ts";
import { createTenant } from "../tenancy/tenants.ts";
import { createToken, type IssuedToken, revoke, rotateToken } from "../tenancy/tokens.ts";

const name = plainText(1, 100);

const permissionIn = z
  .enum([...permissions, ...documentSpellings])
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
const issuedAnswer = z
  .object({
    ...tokenFields,
    secret: z.string().meta({ description: "The API token itself, shown only here." }),
  })
  .meta({ id: "IssuedApiToken" });

function shownToken(token: ApiToken) {
  return {
    id: token.id,
    name: token.name,
    permissions: [...token.permissions],
    created_at: rfc3339(token.createdAt),
    expires_at: rfc3339OrNull(token.expiresAt),
    last_used_at: rfc3339OrNull(token.lastUsedAt),
  };
}

function shownOnce(token: IssuedToken) {
  return { ...shownToken(token), secret: token.secret };
}

const longestOverlapSeconds = 30 * 24 * 60 * 60;
const usualOverlapSeconds = 60 * 60;

export const tenancyRoutes = [
  route(
    {
      method: "post",
      path: "/v1/tenants",
      name: "createTenant",
      summary: "Create a tenant and its first API token",
      tag: "Tenancy",
      access: operator,
      body: z.strictObject({
        tenant: z.strictObject({
          name,
          mode: z.enum(["live", "test"]),
          jurisdiction: z.enum(jurisdictions).nullable().default(null).meta({
            description:
              "Where the tenant's Durable Objects run and keep their data; fixed with the tenant. Null: anywhere.",
          }),
          shard: z.int().min(0).default(0).meta({
            description: "The database its data goes to: 0 is `DB`, 1 `DB_1` and so on.",
          }),
        }),
      }),
      query: none,
      answers: {
        201: {
          description: "The tenant, and a token with all permissions, shown only here.",
          body: z.object({
            tenant: z.object({
              id,
              name: z.string(),
              mode: z.enum(["live", "test"]),
              jurisdiction: z.enum(jurisdictions).nullable(),
              created_at: instant,
              shard: z.int().min(0),
            }),
            token: issuedAnswer,
          }),
        },
      },
    },
    async (exchange) => {
      const { tenant, token } = await createTenant(exchange, exchange.body.tenant);
      const shown = {
        id: tenant.id,
        name: tenant.name,
        mode: tenant.mode,
        jurisdiction: tenant.jurisdiction,
        created_at: rfc3339(tenant.createdAt),
        shard: tenant.shard,
      };
      return reply(201, { tenant: shown, token: shownOnce(token) });
    },
  ),
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
          body: z.object({ token: issuedAnswer }),
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
      return reply(201, { token: shownOnce(issued) });
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
      return reply(200, { tokens: page.map(shownToken), ...cursor });
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
          overlap_seconds: z.int().min(0).max(longestOverlapSeconds).default(usualOverlapSeconds),
        }),
      }),
      query: none,
      answers: {
        201: {
          description: "The new token; its secret is shown only here.",
          body: z.object({ token: issuedAnswer }),
        },
      },
      errors: ["not_found"],
    },
    async (exchange) => {
      const { overlap_seconds } = exchange.body.token;
      const issued = await rotateToken(exchange, exchange.param("id"), overlap_seconds);
      return reply(201, { token: shownOnce(issued) });
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
      await revoke(exchange, exchange.param("id"));
      return reply(204, null);
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/settings",
      name: "getSettings",
      summary: "The tenant's policy",
      tag: "Tenancy",
      access: tenantWith("settings:write"),
      body: none,
      query: none,
      answers: {
        200: { description: "All settings.", body: z.object({ settings: settingsSchema }) },
      },
    },
    async ({ env, caller }) => reply(200, { settings: await getSettings(env, caller.tenantId) }),
  ),
  route(
    {
      method: "patch",
      path: "/v1/settings",
      name: "changeSettings",
      summary: "Change some of the tenant's policy; in force everywhere within 30 s",
      tag: "Tenancy",
      access: tenantWith("settings:write"),
      body: z.strictObject({ settings: settingsPatchSchema }),
      query: none,
      answers: {
        200: { description: "All settings.", body: z.object({ settings: settingsSchema }) },
      },
    },
    async (exchange) =>
      reply(200, { settings: await changeSettings(exchange, exchange.body.settings) }),
  ),
];
