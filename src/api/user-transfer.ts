/** `/v1/idp/users/import` and `/v1/idp/users/export`: users come from another system, and leave for another. */
import { z } from "zod";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { cursor, id, limit, shownExternalId } from "../http/schemas.ts";
import { claimTenantRequestKey } from "../tenancy/claim-request-key.ts";
import { exampleSecret } from "./enrolment-schemas.ts";
import { exportUsers } from "./export-users.ts";
import { importUsers } from "./import-users.ts";

const tag = "Identities";
const maxRows = 100;
/** A hundred users with the five authenticators and twenty hashes that a row may have. */
const maxBodyBytes = 512 * 1024;

const exampleUri = `otpauth://totp/Acme:alexander?secret=${exampleSecret}&issuer=Acme`;

/** Values are validated row by row, so here a field has a type alone. */
const sentAuthenticator = z
  .strictObject({
    secret: z
      .string()
      .optional()
      .meta({
        description:
          "The secret of 10 to 128 bytes, in the `encoding`. White space, the case of base32 and hex, and padding do not matter.",
        examples: [exampleSecret],
      }),
    uri: z
      .string()
      .optional()
      .meta({
        description:
          "A key URI of TOTP, in place of `secret` and the parameters. Beside `secret` it must have the same secret.",
        examples: [exampleUri],
      }),
    encoding: z
      .string()
      .optional()
      .meta({
        description: "Of `secret`: `base32` (the default), `hex` or `base64`.",
        examples: ["base32"],
      }),
    algorithm: z
      .string()
      .optional()
      .meta({
        description:
          "`SHA1` (the default), `SHA256` or `SHA512`. It takes precedence over a `uri`.",
        examples: ["SHA1"],
      }),
    digits: z
      .int()
      .optional()
      .meta({
        description:
          "The length of a code: 6 (the default) to 8. It takes precedence over a `uri`.",
        examples: [6],
      }),
    period: z
      .int()
      .optional()
      .meta({
        description:
          "The seconds for which an app shows a code: 15 to 300, 30 if absent. It takes precedence over a `uri`.",
        examples: [30],
      }),
    name: z
      .string()
      .optional()
      .meta({
        description:
          "What the user calls the authenticator, 1 to 64 characters. Without it, the issuer and the account of the `uri`.",
        examples: ["Work phone"],
      }),
  })
  .meta({ id: "ImportedAuthenticator", description: "A TOTP secret of a user to import." });

const sentUser = z
  .strictObject({
    external_id: z.string().meta({
      description: "The tenant's own id of the user.",
      examples: ["ORG_USR_9921_AFG"],
    }),
    status: z
      .string()
      .optional()
      .meta({
        description:
          "`active` (the default) or `suspended`. The status of a user who exists stays.",
        examples: ["active"],
      }),
    authenticators: z.array(sentAuthenticator).optional(),
    backup_codes: z
      .union([
        z.array(z.string()),
        z.strictObject({ scheme: z.string(), hashes: z.array(z.string()) }),
      ])
      .optional()
      .meta({
        description:
          "At most 20 backup codes: in clear, or as hashes of the `scheme` `sha256`, `sha512` or `pbkdf2`.",
        examples: [["7KQ2-XM4P-0RTZ"]],
      }),
    backup_codes_remaining: z
      .int()
      .optional()
      .meta({
        description: "As an export has it. It is ignored.",
        examples: [10],
      }),
  })
  .meta({
    id: "ImportedUser",
    description: "A user to import.",
    examples: [
      {
        external_id: "ORG_USR_9921_AFG",
        authenticators: [{ secret: exampleSecret, name: "Work phone" }],
        backup_codes: ["7KQ2-XM4P-0RTZ"],
      },
    ],
  });

const result = z
  .object({
    external_id: shownExternalId,
    outcome: z.enum(["created", "added", "skipped", "failed"]),
    code: z
      .string()
      .optional()
      .meta({
        description:
          "Why the row changed nothing. Skipped: `user_exists`, `already_imported`; failed: `invalid_request`, `invalid_secret`, `invalid_uri`, `unsupported_type`, `unsupported_parameters`, `invalid_backup_code`, `unsupported_scheme`, `invalid_hash`, `too_many`, `backup_codes_exist`, `unavailable`.",
        examples: ["already_imported"],
      }),
    message: z
      .string()
      .optional()
      .meta({
        description: "The same in a sentence.",
        examples: ["The user has everything that the row has."],
      }),
  })
  .meta({
    id: "ImportResult",
    description: "What became of a row.",
    examples: [{ external_id: "ORG_USR_9921_AFG", outcome: "created" }],
  });

const exportedUser = z
  .object({
    external_id: shownExternalId,
    status: z.enum(["active", "suspended"]),
    authenticators: z.array(
      z
        .object({
          secret: z.string().meta({
            description: "The secret in base32.",
            examples: [exampleSecret],
          }),
          algorithm: z.string().meta({ examples: ["SHA1"] }),
          digits: z.int().meta({ examples: [6] }),
          period: z.int().meta({ examples: [30] }),
          name: z.string().meta({ examples: ["Work phone"] }),
          uri: z.string().meta({
            description: "The same as a key URI, with the `external_id` as its account.",
            examples: [
              `otpauth://totp/Work%20phone:ORG_USR_9921_AFG?secret=${exampleSecret}&issuer=Work%20phone`,
            ],
          }),
        })
        .meta({ id: "ExportedAuthenticator", description: "A live TOTP secret of a user." }),
    ),
    backup_codes_remaining: z
      .int()
      .min(0)
      .meta({
        description:
          "The unspent backup codes. They stay here, because the service has only keyed hashes of them.",
        examples: [10],
      }),
  })
  .meta({ id: "ExportedUser", description: "A user, in the form in which a user is imported." });

export const userTransferRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/users/import",
      name: "importUsers",
      summary: "Import users with their secrets from another system",
      description:
        "Imports at most 100 users with TOTP secrets and backup codes, which are live at once, in a body of at most 512 KiB. Each row has a result of its own, in the order of the request, and changes all that it has or nothing. A row that is sent again changes nothing, so after a fault the same request can be sent again.",
      tag,
      access: requirePermission("idp:write"),
      body: z.strictObject({
        users: z.array(sentUser).min(1).max(maxRows),
        on_existing: z.enum(["skip", "add"]).optional().meta({
          description:
            "What becomes of a row whose user exists: nothing (`skip`, the default), or the secrets and codes that the user does not have are added (`add`).",
        }),
        dry_run: z
          .boolean()
          .optional()
          .meta({
            description:
              "With `true`, the results say what would become of each row, and nothing changes.",
            examples: [false],
          }),
      }),
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
      const { users, on_existing: onExisting = "skip", dry_run: isDryRun = false } = request.body;
      if (!isDryRun) await claimTenantRequestKey(request);
      return respond(200, { results: await importUsers(request, users, onExisting, isDryRun) });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/idp/users/export",
      name: "exportUsers",
      summary: "Export users with their TOTP secrets, for a tenant that leaves",
      description:
        "Exports the users in the order of their ids, in the form in which they are imported, with the live TOTP secrets in clear. The setting `export.secrets` must be true. Every page with secrets is an event `secrets.exported` of the audit trail.",
      tag,
      access: requirePermission("idp:export"),
      body: none,
      query: z.strictObject({ limit, after: cursor }),
      responses: {
        200: {
          description:
            "A page of users. A user who was created or erased within the last seconds may be missing.",
          body: z.object({
            users: z.array(exportedUser),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
      errors: ["export_not_allowed"],
    },
    async (request) => {
      const { users, nextAfter } = await exportUsers(request, request.query);
      return respond(200, { users, has_more: nextAfter !== null, next_after: nextAfter });
    },
  ),
];
