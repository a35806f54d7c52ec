/** `/v1/tenants/:id/tokens` and `/v1/tenants/:id/user`: what the operator does for a tenant, also a suspended one. */
import { identityIdOf } from "../crypto/id.ts";
import { askGuard } from "../guard/client.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { userQuery } from "../http/schemas.ts";
import { getTenant } from "../tenancy/change-tenant.ts";
import { createToken } from "../tenancy/change-tokens.ts";
import { locationOf } from "../tenancy/find-locations.ts";
import { revokeToken } from "../tenancy/revoke-token.ts";
import {
  listTokenPage,
  newTokenBody,
  newTokenResponses,
  readWantedToken,
  showIssuedToken,
  tokenListQuery,
  tokenListResponses,
} from "./tokens.ts";

export const tenantTokenRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/tenants/:id/tokens",
      name: "createTenantToken",
      summary: "Create an API token for a tenant, such as one that has lost its own",
      description:
        "Creates an API token of the tenant, as `POST /v1/tokens` does, also while the tenant is suspended. The secret is shown once.",
      tag: "Tenancy",
      access: operator,
      body: newTokenBody,
      query: none,
      responses: newTokenResponses,
      errors: ["not_found", "too_many", "tenant_deleting"],
    },
    async (request) => {
      const wanted = readWantedToken(request.body.token, request.now);
      const tenant = await getTenant(request.env, request.param("id"));
      const issued = await createToken(request, tenant, wanted);
      return respond(201, { token: showIssuedToken(issued) });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/tenants/:id/tokens",
      name: "listTenantTokens",
      summary: "List a tenant's API tokens, oldest first",
      description:
        "Lists the tokens of the tenant that are not revoked, page by page, without their secrets.",
      tag: "Tenancy",
      access: operator,
      body: none,
      query: tokenListQuery,
      responses: tokenListResponses,
      errors: ["not_found"],
    },
    async ({ env, query, param }) => {
      const { id } = await getTenant(env, param("id"));
      return respond(200, await listTokenPage(env, id, query));
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/tenants/:id/tokens/:tokenId",
      name: "revokeTenantToken",
      summary: "Revoke a tenant's API token, also the last one, everywhere within 30 s",
      description:
        "Revokes a token of the tenant. Unlike the tenant itself, the operator may revoke the last token with `tokens:write`.",
      tag: "Tenancy",
      access: operator,
      body: none,
      query: none,
      responses: { 204: { description: "The token is revoked." } },
      errors: ["not_found"],
    },
    async (request) => {
      await revokeToken(request, request.param("id"), request.param("tokenId"));
      return respond(204, null);
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/tenants/:id/user",
      name: "eraseTenantUser",
      summary: "Erase a tenant's user and everything about the person, such as after a restore",
      description:
        "Erases a user for the tenant, as `DELETE /v1/idp/user` does. The event in the tenant's trail names the operator as its actor.",
      tag: "Tenancy",
      access: operator,
      body: none,
      query: userQuery,
      responses: { 204: { description: "The identity is erased." } },
      errors: ["not_found", "user_not_found"],
    },
    async (request) => {
      const tenant = await getTenant(request.env, request.param("id"));
      const caller = { tenantId: tenant.id, location: locationOf(tenant) };
      const identityId = await identityIdOf(tenant.id, request.query.externalUserId);
      await askGuard({ ...request, caller }, identityId, (guard, call) => guard.erase(call));
      return respond(204, null);
    },
  ),
];
