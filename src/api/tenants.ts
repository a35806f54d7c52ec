/** `/v1/tenants`, for the operator. */
import { z } from "zod";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { createTextSchema, id, instant, toRfc3339 } from "../http/schemas.ts";
import { jurisdictions } from "../location.ts";
import { createTenant } from "../tenancy/create-tenant.ts";
import { issuedTokenSchema, showIssuedToken } from "./tokens.ts";

const name = createTextSchema(1, 100).meta({ examples: ["Acme"] });

export const tenantRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/tenants",
      name: "createTenant",
      summary: "Create a tenant and its first API token",
      description:
        "Creates a tenant and its first API token, which has all permissions. The secret of the token is shown once.",
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
            "The tenant, and a token with all permissions. The token's secret is shown once.",
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
];
