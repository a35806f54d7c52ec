/** `/v1/idp/user/authenticators`: several TOTP secrets of one user. */
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { askGuard, readGuard } from "../guard/client.ts";
import type { ShownAuthenticator } from "../guard/decisions/authenticators.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { id, instant, userQuery } from "../http/schemas.ts";
import {
  defaultParameters,
  maxCodeLength,
  maxPeriodSeconds,
  minCodeLength,
  minPeriodSeconds,
  totpAlgorithms,
} from "../otp/totp.ts";
import { claimTenantRequestKey } from "../tenancy/claim-request-key.ts";
import { createTextSchema } from "../text-schema.ts";
import {
  exampleSecret,
  labelFields,
  qrQuery,
  requireQrCapacity,
  secretFields,
  showKeyUri,
} from "./enrolment-schemas.ts";

const tag = "One-time passwords";

const name = createTextSchema(1, 64).meta({
  description: "What the user calls the authenticator.",
  examples: ["Work phone"],
});

const algorithm = z.enum(totpAlgorithms).meta({ examples: ["SHA1"] });
const digits = z
  .int()
  .min(minCodeLength)
  .max(maxCodeLength)
  .meta({
    description: "The length of a code.",
    examples: [6],
  });
const period = z
  .int()
  .min(minPeriodSeconds)
  .max(maxPeriodSeconds)
  .meta({ description: "The seconds for which an app shows a code.", examples: [30] });

const shownFields = {
  id: id.meta({ description: "The authenticator's id." }),
  name: z.string().meta({
    description: "What the user calls the authenticator.",
    examples: ["Work phone"],
  }),
  algorithm,
  digits,
  period,
  status: z.enum(["active", "pending"]).meta({
    description:
      "`pending`: the first accepted code makes the authenticator active, within ten minutes.",
    examples: ["active"],
  }),
};

const authenticatorSchema = z
  .object({
    ...shownFields,
    created_at: instant.nullable().meta({
      description: "Null for a primary secret of a version before authenticators had ids.",
    }),
    last_used_at: instant.nullable().meta({ description: "When a code was accepted last." }),
    drift_seconds: z
      .int()
      .nullable()
      .meta({
        description:
          "How far the time of the code accepted last was ahead (above zero) or behind (below zero), in whole periods. One period behind is usual: people take time to type. Null before the first code.",
        examples: [0],
      }),
    is_primary: z.boolean().meta({
      description: "Whether it is the one that `POST /v1/idp/user/otp` makes and replaces.",
      examples: [false],
    }),
  })
  .meta({ id: "Authenticator", description: "An authenticator of a user: one TOTP secret." });

function showAuthenticator(authenticator: ShownAuthenticator) {
  const { id, name, algorithm, digits, period, pendingUntil } = authenticator;
  const { createdAt, lastUsedAt, driftSeconds, isPrimary } = authenticator;
  const timeOf = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id,
    name,
    algorithm,
    digits,
    period,
    status: pendingUntil === null ? ("active" as const) : ("pending" as const),
    created_at: timeOf(createdAt),
    last_used_at: timeOf(lastUsedAt),
    drift_seconds: driftSeconds,
    is_primary: isPrimary,
  };
}

export const authenticatorRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/user/authenticators",
      name: "addAuthenticator",
      summary: "Add an authenticator, whose secret is shown once",
      description:
        "Creates a TOTP secret beside those that the user has, and returns it once. A user has at most five, the primary one included; a code of any of them is accepted. An authenticator that becomes active removes the known devices of the user. With the setting `otp.enrolment: confirm`, the authenticator becomes active with its first accepted code. Many apps support only the defaults of algorithm, digits and period.",
      tag,
      access: requirePermission("idp:write"),
      body: z.strictObject({
        authenticator: z.strictObject({
          ...labelFields,
          name: name.optional().meta({
            description:
              "What the user calls the authenticator. Without it, `Authenticator` and a number.",
          }),
          algorithm: algorithm.optional().meta({ description: "`SHA1` if absent." }),
          digits: digits.optional().meta({ description: "The length of a code; 6 if absent." }),
          period: period
            .optional()
            .meta({ description: "The seconds for which an app shows a code; 30 if absent." }),
        }),
      }),
      query: userQuery.extend(qrQuery),
      responses: {
        201: {
          description: "The authenticator, its secret, and the key URI for a QR code.",
          body: z.object({
            authenticator: z.object({
              ...shownFields,
              new_otp_secret: z.string().meta({
                description: "The secret in base32, as long as the hash of the algorithm.",
                examples: [exampleSecret],
              }),
              ...secretFields,
            }),
          }),
        },
      },
      errors: ["user_not_found", "user_suspended", "too_many"],
    },
    async (request) => {
      const { externalUserId, qr } = request.query;
      const { name, algorithm, digits, period, ...labels } = request.body.authenticator;
      const parameters = {
        algorithm: algorithm ?? defaultParameters.algorithm,
        digits: digits ?? defaultParameters.digits,
        period: period ?? defaultParameters.period,
      };
      requireQrCapacity("authenticator", labels, parameters);
      const { tenantId, policy } = request.caller;
      const identityId = await identityIdOf(tenantId, externalUserId);
      await claimTenantRequestKey(request);
      const added = await askGuard(request, identityId, (guard, call) =>
        guard.addAuthenticator(call, { name: name ?? null, ...parameters }, policy.otp.enrolment),
      );
      const { id, name: shownName, status } = showAuthenticator(added);
      return respond(201, {
        authenticator: {
          id,
          name: shownName,
          ...parameters,
          status,
          new_otp_secret: added.secret,
          ...showKeyUri(labels, added.secret, parameters, qr),
        },
      });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/idp/user/authenticators",
      name: "listAuthenticators",
      summary: "List a user's authenticators",
      description:
        "Lists the TOTP secrets of a user: the primary one first, then one that shall replace it, then those that were added. Pending ones that have expired are left out.",
      tag,
      access: requirePermission("idp:read"),
      body: none,
      query: userQuery,
      responses: {
        200: {
          description: "All authenticators of the user.",
          body: z.object({ authenticators: z.array(authenticatorSchema) }),
        },
      },
      errors: ["user_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      const authenticators = await readGuard(request, identityId, (guard, call) =>
        guard.listAuthenticators(call),
      );
      return respond(200, { authenticators: authenticators.map(showAuthenticator) });
    },
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/idp/user/authenticators/:id",
      name: "renameAuthenticator",
      summary: "Rename an authenticator",
      description: "Changes the name of an authenticator.",
      tag,
      access: requirePermission("idp:write"),
      body: z.strictObject({ authenticator: z.strictObject({ name }) }),
      query: userQuery,
      responses: {
        200: {
          description: "The authenticator.",
          body: z.object({ authenticator: authenticatorSchema }),
        },
      },
      errors: ["user_not_found", "authenticator_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      const authenticator = await askGuard(request, identityId, (guard, call) =>
        guard.renameAuthenticator(call, request.param("id"), request.body.authenticator.name),
      );
      return respond(200, { authenticator: showAuthenticator(authenticator) });
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/idp/user/authenticators/:id",
      name: "removeAuthenticator",
      summary: "Remove an authenticator",
      description:
        "Removes one authenticator, which may be the primary one or pending, so that its codes are not accepted any more. The others and the backup codes stay, and with an active one the known devices of the user are removed; `DELETE /v1/idp/user/otp` removes all.",
      tag,
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: { 204: { description: "The authenticator is removed." } },
      errors: ["user_not_found", "authenticator_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      await askGuard(request, identityId, (guard, call) =>
        guard.removeAuthenticator(call, request.param("id")),
      );
      return respond(204, null);
    },
  ),
];
