/** `/v1/tenants`, for the operator. */
import { z } from "zod";
import { operator } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { id, instant, plainText, rfc3339 } from "../http/schemas.ts";
import { jurisdictions } from "../location.ts";
import { createTenant } from "../tenancy/create-tenant.ts";
import { issuedTokenAnswer, showIssuedToken } from "./tokens.ts";

const name = plainText(1, 100);

export const tenantRoutes = [
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
            token: issuedTokenAnswer,
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
      return reply(201, { tenant: shown, token: showIssuedToken(token) });
    },
  ),
];
