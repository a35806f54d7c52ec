/** `/v1/idp/user/otp`, `/v1/idp/otp/verify` and `/v1/idp/user/backup-codes`. */
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { askGuard } from "../guard/client.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { assessmentId, externalId, shownExternalId, userQuery } from "../http/schemas.ts";
import { codesPerSet } from "../otp/backup-codes.ts";
import { type Code, codePattern, parseCode } from "../otp/code.ts";
import { defaultParameters } from "../otp/totp.ts";
import { claimTenantRequestKey } from "../tenancy/claim-request-key.ts";
import { buildAttemptSession } from "./attempt-session.ts";
import {
  buildDeviceRequest,
  deviceFields,
  deviceToken,
  shownDevice,
  showVerifiedDevice,
} from "./device-schemas.ts";
import {
  exampleSecret,
  labelFields,
  qrQuery,
  requireQrCapacity,
  secretFields,
  showKeyUri,
} from "./enrolment-schemas.ts";
import { address, agent } from "./session-schemas.ts";
import { prepareStepUp, shownToken, stepUpRequest } from "./step-up.ts";

const exampleBackupCodes = [
  ...["ABCD-1234", "EFGH-5678", "JKLM-9012", "NPRS-3456", "TUVW-7890"],
  ...["XYZA-2345", "BCDE-6789", "FGHJ-0123", "KLMN-4567", "PRST-8901"],
];
const codeIssue = {
  path: "otp.code",
  message: "must be a backup code, or a code of as many digits as the user's authenticators show",
};

const code = z
  .string()
  .meta({
    description:
      "A TOTP code of ASCII digits, or a backup code in any case, with or without its dash. A TOTP code has as many digits as one of the user's authenticators shows, which are six unless one was added with more. White space is dropped, and a typographic dash (U+2010 to U+2015, U+2212) counts as `-`. An imported backup code has 6 to 64 letters and digits, and dashes in it do not matter.",
    pattern: codePattern,
    examples: ["552192", "ABCD-1234"],
  })
  .transform((text, context): Code => {
    const parsed = parseCode(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: codeIssue.message });
    return z.NEVER;
  });

/** Only the guard knows how long the user's codes are. The answer is the same as for a text that is no code. */
function explainImpossibleCode(error: unknown): never {
  const isImpossible = error instanceof AppError && error.code === "invalid_request";
  throw isImpossible ? createInvalidRequest([codeIssue]) : error;
}

export const otpRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/user/otp",
      name: "configureOtp",
      summary: "Create a TOTP secret, which is shown once",
      description:
        "Creates the primary TOTP secret of a user (RFC 6238: SHA-1, six digits, 30 seconds) and returns it once. It replaces the primary secret that the user had, and leaves authenticators that were added beside it as they are. A secret that becomes live removes the known devices of the user. With the setting `otp.enrolment: confirm`, the secret becomes live with its first accepted code.",
      tag: "One-time passwords",
      access: requirePermission("idp:write"),
      body: z.strictObject({
        otp: z.strictObject({
          ...labelFields,
        }),
      }),
      query: userQuery.extend(qrQuery),
      responses: {
        200: {
          description: "The secret and the key URI for a QR code.",
          body: z.object({
            user: z.object({
              external_id: shownExternalId,
              new_otp_secret: z.string().meta({
                description: "The secret of 160 bits, in base32.",
                examples: [exampleSecret],
              }),
              ...secretFields,
              is_setup_complete: z.boolean(),
            }),
          }),
        },
      },
      errors: ["user_not_found", "user_suspended", "too_many"],
    },
    async (request) => {
      const { externalUserId, qr } = request.query;
      const { otp: labels } = request.body;
      requireQrCapacity("otp", labels, defaultParameters);
      const { tenantId, policy } = request.caller;
      const identityId = await identityIdOf(tenantId, externalUserId);
      await claimTenantRequestKey(request);
      const { secret, isSetupComplete } = await askGuard(request, identityId, (guard, call) =>
        guard.configureTotp(call, policy.otp.enrolment),
      );
      return respond(200, {
        user: {
          external_id: externalUserId,
          new_otp_secret: secret,
          ...showKeyUri(labels, secret, defaultParameters, qr),
          is_setup_complete: isSetupComplete,
        },
      });
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/idp/user/otp",
      name: "removeOtp",
      summary: "Remove the TOTP secret and the backup codes",
      description:
        "Removes all TOTP secrets of a user, also those of authenticators that were added, the backup codes, and the known devices.",
      tag: "One-time passwords",
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: { 204: { description: "The secrets and the codes are deleted." } },
      errors: ["user_not_found", "otp_not_configured"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      await askGuard(request, identityId, (guard, call) => guard.removeTotp(call));
      return respond(204, null);
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/otp/verify",
      name: "verifyOtp",
      summary: "Verify a TOTP or backup code",
      description:
        "Verifies a backup code, or a TOTP code of any of the user's authenticators. Each code is accepted once; failures count towards a lock, or on the known device that they come from. The code accepted last, sent again, is `code_already_used` and counts no failure.",
      tag: "One-time passwords",
      access: requirePermission("idp:write"),
      body: z.strictObject({
        otp: z
          .strictObject({
            id: externalId,
            code,
            assessment_id: assessmentId.optional().meta({
              description:
                "The assessment of the session. The event of the attempt names it. An accepted code confirms the session, and Sentinel learns from it.",
            }),
            context: z
              .strictObject({ ip: address, ua: agent, device_token: deviceToken.optional() })
              .optional()
              .meta({
                description:
                  "The user's session. Address and agent are personal parts of the event of the attempt, and decide nothing. The device token may be here in place of `device_token`; sent twice, both must be equal.",
              }),
            ...deviceFields,
            purpose: z.enum(["confirm"]).optional().meta({
              description:
                "With `confirm` the code is compared with pending secrets alone, so that neither a code of the old secret nor a backup code is accepted. Without a pending secret the answer is `no_pending_enrolment`.",
            }),
            token: stepUpRequest.optional(),
          })
          .meta({
            examples: [
              {
                id: "ORG_USR_9921_AFG",
                code: "552192",
                context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" },
              },
            ],
          }),
      }),
      query: none,
      // A person who types a code again may spell it differently.
      comparedBody: ({ otp: { code, context, ...rest } }) => ({
        otp: {
          ...rest,
          code: code.code,
          ...(context && { context: { ...context, ip: context.ip.text } }),
        },
      }),
      responses: {
        200: {
          description: "The code was accepted, and cannot be used again.",
          body: z.object({
            status: z.literal("success"),
            id: shownExternalId,
            message: z.literal("OTP verified successfully."),
            method: z.enum(["totp", "backup_code"]),
            enrolment_confirmed: z.boolean().meta({
              description: "True if the code made a pending secret live.",
              examples: [false],
            }),
            backup_codes_remaining: z.int().min(0).optional(),
            device: shownDevice.optional(),
            token: shownToken.optional(),
          }),
        },
      },
      errors: [
        "user_not_found",
        "user_suspended",
        "otp_not_configured",
        "no_pending_enrolment",
        "invalid_code",
        "code_already_used",
        "user_locked",
        "otp_disabled",
        "step_up_tokens_not_set_up",
      ],
    },
    async (request) => {
      const { id, code: attempt, purpose } = request.body.otp;
      const { tenantId, policy } = request.caller;
      const identityId = await identityIdOf(tenantId, id);
      const session = buildAttemptSession(request.body.otp, identityId, "otp");
      const stepUp = await prepareStepUp(request, request.body.otp.token);
      const device = buildDeviceRequest(request.body.otp, { tenantId, identityId }, "otp");
      const verification = { ...policy.lockout, windowSteps: policy.otp.windowSteps };
      const verified = await askGuard(stepUp.caller, identityId, (guard, call) =>
        guard.verify({ ...call, ...session, ...device }, attempt, verification, purpose ?? "login"),
      ).catch(explainImpossibleCode);
      const { method, backupCodesRemaining, enrolmentConfirmed, risk } = verified;
      return respond(200, {
        status: "success" as const,
        id,
        message: "OTP verified successfully." as const,
        method,
        enrolment_confirmed: enrolmentConfirmed === true,
        ...(backupCodesRemaining === undefined
          ? {}
          : { backup_codes_remaining: backupCodesRemaining }),
        ...showVerifiedDevice(verified),
        ...(await stepUp.issue({ externalId: id, factor: { method }, risk })),
      });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/user/backup-codes",
      name: "regenerateBackupCodes",
      summary: "Create ten backup codes, which are shown once and replace the old ones",
      description:
        "Creates ten single-use backup codes and returns them once. The codes of an earlier set stop working.",
      tag: "One-time passwords",
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: {
        200: {
          description: "The new backup codes.",
          body: z.object({
            user: z.object({
              id: shownExternalId,
              backupCodes: z
                .array(z.string())
                .length(codesPerSet)
                .meta({
                  description: "The codes, which are shown once.",
                  examples: [exampleBackupCodes],
                }),
            }),
          }),
        },
      },
      errors: ["user_not_found", "user_suspended"],
    },
    async (request) => {
      const { externalUserId } = request.query;
      const { tenantId } = request.caller;
      const identityId = await identityIdOf(tenantId, externalUserId);
      await claimTenantRequestKey(request);
      const { codes } = await askGuard(request, identityId, (guard, call) =>
        guard.regenerateBackupCodes(call),
      );
      return respond(200, { user: { id: externalUserId, backupCodes: [...codes] } });
    },
  ),
];
