/** `/v1/sentinel/history`: past sessions, from which Sentinel learns before it has assessed any. */
import { z } from "zod";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { shownExternalId } from "../http/schemas.ts";
import { claimTenantRequestKey } from "../tenancy/claim-request-key.ts";
import { importSessions } from "./import-sessions.ts";

const maxRows = 100;
const maxBodyBytes = 128 * 1024;

/** Values are validated row by row, so here a field has a type alone. */
const row = z.strictObject({
  external_id: z.string().meta({
    description: "The tenant's own id of the user.",
    examples: ["ORG_USR_9921_AFG"],
  }),
  time: z.string().meta({
    description: "When the session began, RFC 3339.",
    examples: ["2026-08-15T09:30:00Z"],
  }),
  context: z.strictObject({
    ip: z.string().meta({
      description: "The address of the client, as `context.ip` of discover.",
      examples: ["1.1.1.1"],
    }),
    ua: z
      .string()
      .nullable()
      .meta({
        description: "The user agent of the client; null if it is not known.",
        examples: ["EnterpriseAgent/1.0"],
      }),
    accept_language: z
      .string()
      .optional()
      .meta({ examples: ["nb-NO,nb;q=0.9,en;q=0.8"] }),
    time_zone: z
      .string()
      .optional()
      .meta({ examples: ["Europe/Oslo"] }),
    client_hints: z
      .record(z.string(), z.string())
      .optional()
      .meta({ examples: [{ "sec-ch-ua-platform": '"Windows"' }] }),
    ja4: z
      .string()
      .optional()
      .meta({ examples: ["t13d1516h2_8daaf6152771_e5627efa2ab1"] }),
  }),
});

const result = z
  .object({
    external_id: shownExternalId,
    outcome: z.enum(["imported", "skipped", "failed"]),
    code: z
      .string()
      .optional()
      .meta({
        description:
          "Why the row was not imported. Skipped: `already_imported`, `too_recent`, `too_old`, `not_kept`; failed: `invalid_request`, `user_not_found`, `unavailable`.",
        examples: ["already_imported"],
      }),
    message: z
      .string()
      .optional()
      .meta({
        description: "The same in a sentence.",
        examples: ["The history has this session."],
      }),
  })
  .meta({
    id: "ImportedSession",
    examples: [{ external_id: "ORG_USR_9921_AFG", outcome: "imported" }],
  });

export const sessionHistoryRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/sentinel/history",
      name: "importSessions",
      summary: "Import past sessions of users as their history",
      description:
        "Imports sessions of the last half year that the tenant let pass and nobody reported, at most 100 in a request. They count as weakly confirmed, so that Sentinel knows the users before it has assessed them. Each row has a result of its own, and a row that is sent again changes nothing.",
      tag: "Sentinel",
      access: requirePermission("sentinel:write"),
      body: z.strictObject({ sessions: z.array(row).min(1).max(maxRows) }),
      maxBodyBytes,
      query: none,
      responses: {
        200: {
          description: "The result of each row, in the order of the request.",
          body: z.object({ results: z.array(result) }),
        },
      },
    },
    async (request) => {
      await claimTenantRequestKey(request);
      return respond(200, { results: await importSessions(request, request.body.sessions) });
    },
  ),
];
