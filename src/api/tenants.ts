/** `/v1/tenants`, for the operator. */
import { z } from "zod";
import { controlDbOf } from "../db/shards.ts";
import { tenantStatuses } from "../db/tenant-status.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { cursor, id, instant, limit, pageOf, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import type { IdentityCount } from "../identity/count-store.ts";
import { jurisdictions } from "../location.ts";
import { changeTenant, getTenant } from "../tenancy/change-tenant.ts";
import { countUsers } from "../tenancy/count-users.ts";
import { createTenant } from "../tenancy/create-tenant.ts";
import { listTenants, type Tenant } from "../tenancy/tenant-store.ts";
import { createTextSchema } from "../text-schema.ts";
import { issuedTokenSchema, showIssuedToken } from "./tokens.ts";

const name = createTextSchema(1, 100).meta({ examples: ["Acme"] });

const tenantSchema = z
  .object({
    id,
    name: z.string().meta({ examples: ["Acme"] }),
    mode: z.enum(["live", "test"]),
    status: z.enum(tenantStatuses).meta({
      description:
        "`suspended` and `deleting`: every request with an API token of the tenant is refused.",
    }),
    suspended_at: instant.nullable().meta({
      description: "When the operator suspended the tenant; null while it is active.",
      examples: [null],
    }),
    jurisdiction: z.enum(jurisdictions).nullable(),
    shard: z.int().min(0),
    users: z
      .int()
      .min(0)
      .nullable()
      .meta({
        examples: [1_200],
        description:
          "Users that are not erased, as the tenant's database has them: it follows within seconds. Null: that database did not answer.",
      }),
    users_estimated: z.boolean().meta({
      examples: [false],
      description:
        "Whether `users` is an estimate, because the tenant has more users than one request counts: 100,000 divided by the number of tenants in the answer.",
    }),
    created_at: instant,
  })
  .meta({ id: "Tenant" });

function showTenant(
  tenant: Tenant,
  users: IdentityCount | undefined,
): z.input<typeof tenantSchema> {
  const { id, name, mode, status, jurisdiction, shard } = tenant;
  return {
    id,
    name,
    mode,
    status,
    suspended_at: toRfc3339OrNull(tenant.suspendedAt),
    jurisdiction,
    shard,
    users: users?.count ?? null,
    users_estimated: users?.isEstimate ?? false,
    created_at: toRfc3339(tenant.createdAt),
  };
}

async function showTenants(env: Env, tenants: readonly Tenant[]) {
  const users = await countUsers(env, tenants);
  return tenants.map((tenant) => showTenant(tenant, users.get(tenant.id)));
}

async function showOneTenant(env: Env, tenant: Tenant) {
  const users = await countUsers(env, [tenant]);
  return { tenant: showTenant(tenant, users.get(tenant.id)) };
}

const tenantResponses = {
  200: { description: "The tenant.", body: z.object({ tenant: tenantSchema }) },
};

export const tenantRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/tenants",
      name: "createTenant",
      summary: "Create a tenant and its first API token",
      description:
        "Creates a tenant and its first API token, which has all permissions but `idp:export`. The secret of the token is shown once.",
      tag: "Tenancy",
      access: operator,
      body: z.strictObject({
        tenant: z.strictObject({
          name,
          mode: z.enum(["live", "test"]),
          jurisdiction: z.enum(jurisdictions).nullable().default(null).meta({
            description:
              "Where the tenant's Durable Objects run and store their data. It cannot be changed later. Null: anywhere.",
          }),
          shard: z.int().min(0).default(0).meta({
            description: "The shard of the tenant's data: 0 is `DB`, 1 is `DB_1` and so on.",
          }),
        }),
      }),
      query: none,
      responses: {
        201: {
          description:
            "The tenant, and a token with all permissions but `idp:export`. The token's secret is shown once.",
          body: z.object({
            tenant: z.object({
              id,
              name: z.string().meta({ examples: ["Acme"] }),
              mode: z.enum(["live", "test"]),
              jurisdiction: z.enum(jurisdictions).nullable(),
              created_at: instant,
              shard: z.int().min(0),
            }),
            token: issuedTokenSchema,
          }),
        },
      },
    },
    async (request) => {
      const { tenant, token } = await createTenant(request, request.body.tenant);
      const shown = {
        id: tenant.id,
        name: tenant.name,
        mode: tenant.mode,
        jurisdiction: tenant.jurisdiction,
        created_at: toRfc3339(tenant.createdAt),
        shard: tenant.shard,
      };
      return respond(201, { tenant: shown, token: showIssuedToken(token) });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/tenants",
      name: "listTenants",
      summary: "List the tenants, oldest first",
      description:
        "Lists the tenants of the service in the order of their creation, page by page, each with its number of users.",
      tag: "Tenancy",
      access: operator,
      body: none,
      query: z.strictObject({
        limit,
        after: cursor,
        status: z
          .enum(tenantStatuses)
          .optional()
          .meta({ description: "Tenants with this status." }),
      }),
      responses: {
        200: {
          description: "A page of tenants in the order of their ids.",
          body: z.object({
            tenants: z.array(tenantSchema),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
    },
    async ({ env, query }) => {
      const rows = await listTenants(controlDbOf(env), { ...query, limit: query.limit + 1 });
      const { page, ...cursor } = pageOf(rows, query.limit);
      return respond(200, { tenants: await showTenants(env, page), ...cursor });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/tenants/:id",
      name: "getTenant",
      summary: "Get a tenant",
      description: "Shows one tenant: its status, where its data is, and its number of users.",
      tag: "Tenancy",
      access: operator,
      body: none,
      query: none,
      responses: tenantResponses,
      errors: ["not_found"],
    },
    async ({ env, param }) =>
      respond(200, await showOneTenant(env, await getTenant(env, param("id")))),
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/tenants/:id",
      name: "changeTenant",
      summary: "Rename, suspend or reactivate a tenant; a status applies everywhere within 30 s",
      description:
        "Changes the name or the status of a tenant. Every API token of a suspended tenant is refused with `tenant_suspended`, and nothing is deleted. Each change is an event in the tenant's trail; a request that changes nothing has none.",
      tag: "Tenancy",
      access: operator,
      body: z.strictObject({
        tenant: z.strictObject({
          name: name.optional(),
          status: z.enum(["active", "suspended"]).optional(),
        }),
      }),
      query: none,
      responses: tenantResponses,
      errors: ["not_found", "tenant_deleting"],
    },
    async (request) => {
      const { body, env, param } = request;
      const tenant = await changeTenant(request, param("id"), body.tenant);
      return respond(200, await showOneTenant(env, tenant));
    },
  ),
];
