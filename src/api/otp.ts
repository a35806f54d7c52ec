/** TOTP and backup codes: configured, verified, removed. */
import { renderSVG } from "uqr";
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { controlDb } from "../db/shards.ts";
import { invalidRequest } from "../errors.ts";
import { askGuard } from "../guard/client.ts";
import type { Attempt } from "../guard/decisions/verify.ts";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { externalId, ofUser, plainText } from "../http/schemas.ts";
import { claimRequestKey } from "../idempotency/run-once.ts";
import { codesPerSet, normaliseBackupCode } from "../otp/backup-codes.ts";
import { buildKeyUri } from "../otp/key-uri.ts";
import { totpCodePattern } from "../otp/totp.ts";
import { identityOfAssessment } from "../sentinel/assessment.ts";
import { assessmentId } from "./assessment-schemas.ts";

const longestIssuer = 64;
const longestAccount = 255;
/** Bytes a QR code holds at most (ISO/IEC 18004, version 40, level L). */
const maxQrBytes = 2953;

function labelPart(longest: number) {
  return plainText(1, longest)
    .refine((text) => !text.includes(":"), "must not hold a colon")
    .meta({ pattern: "^[^:]*$" });
}

function attemptOf(code: string): Attempt | undefined {
  if (totpCodePattern.test(code)) return { method: "totp", code };
  const normalised = normaliseBackupCode(code);
  return normalised === undefined ? undefined : { method: "backup_code", code: normalised };
}

const code = z
  .string()
  .transform((text, context): Attempt => {
    const attempt = attemptOf(text);
    if (attempt !== undefined) return attempt;
    context.addIssue({ code: "custom", message: "must be six digits, or a backup code" });
    return z.NEVER;
  })
  .meta({ examples: ["552192", "ABCD-1234"] });

export const otpRoutes = [
  route(
    {
      method: "post",
      path: "/v1/idp/user/otp",
      name: "configureOtp",
      summary: "Make a new TOTP secret, shown only here",
      tag: "One-time passwords",
      access: tenantWith("idp:write"),
      body: z.strictObject({
        otp: z.strictObject({
          issuer_name: labelPart(longestIssuer),
          account_name: labelPart(longestAccount),
        }),
      }),
      query: ofUser.extend({ qr: z.enum(["svg"]).optional() }),
      answers: {
        200: {
          description: "The secret and the key URI for a QR code.",
          body: z.object({
            user: z.object({
              external_id: z.string(),
              new_otp_secret: z.string().meta({ description: "Base32, 160 bits." }),
              qrcode_payload: z.string(),
              is_setup_complete: z.boolean(),
              qrcode_svg: z.string().optional(),
            }),
          }),
        },
      },
      errors: ["user_not_found", "user_suspended"],
    },
    async (exchange) => {
      const { externalUserId, qr } = exchange.query;
      const { issuer_name: issuer, account_name: account } = exchange.body.otp;
      // Base32 is as long for every secret, so a QR code that is too small shows before one is made.
      const longest = buildKeyUri({ issuer, account, secret: "A".repeat(32) });
      if (longest.length > maxQrBytes) {
        throw invalidRequest([
          {
            path: "otp.account_name",
            message: "is too long for a QR code together with issuer_name",
          },
        ]);
      }
      const { tenantId, policy } = exchange.caller;
      const identityId = identityIdOf(tenantId, externalUserId);
      await claimRequestKey(exchange, tenantId, controlDb(exchange.env));
      const { secret, isSetupComplete } = await askGuard(exchange, identityId, (guard, call) =>
        guard.configureTotp(call, policy.otp.enrolment),
      );
      const payload = buildKeyUri({ issuer, account, secret });
      return reply(200, {
        user: {
          external_id: externalUserId,
          new_otp_secret: secret,
          qrcode_payload: payload,
          is_setup_complete: isSetupComplete,
          ...(qr === "svg" ? { qrcode_svg: renderSVG(payload) } : {}),
        },
      });
    },
  ),
  route(
    {
      method: "delete",
      path: "/v1/idp/user/otp",
      name: "removeOtp",
      summary: "Remove TOTP, and the backup codes that stand in for it",
      tag: "One-time passwords",
      access: tenantWith("idp:write"),
      body: none,
      query: ofUser,
      answers: { 204: { description: "Removed." } },
      errors: ["user_not_found", "otp_not_configured"],
    },
    async (exchange) => {
      const identityId = identityIdOf(exchange.caller.tenantId, exchange.query.externalUserId);
      await askGuard(exchange, identityId, (guard, call) => guard.removeTotp(call));
      return reply(204, null);
    },
  ),
  route(
    {
      method: "post",
      path: "/v1/idp/otp/verify",
      name: "verifyOtp",
      summary: "Verify a TOTP or backup code",
      tag: "One-time passwords",
      access: tenantWith("idp:write"),
      body: z.strictObject({
        otp: z.strictObject({
          id: externalId,
          code,
          assessment_id: assessmentId.optional().meta({
            description: "Of the session the code is for: once verified, Sentinel learns it.",
          }),
        }),
      }),
      query: none,
      answers: {
        200: {
          description: "The code was right, and is spent now.",
          body: z.object({
            status: z.literal("success"),
            id: z.string(),
            message: z.literal("OTP verified successfully."),
            method: z.enum(["totp", "backup_code"]),
            backup_codes_remaining: z.int().min(0).optional(),
          }),
        },
      },
      errors: [
        "user_not_found",
        "user_suspended",
        "otp_not_configured",
        "invalid_code",
        "user_locked",
        "otp_disabled",
      ],
    },
    async (exchange) => {
      const { id, code: attempt, assessment_id: assessment = null } = exchange.body.otp;
      const { tenantId, policy } = exchange.caller;
      const identityId = identityIdOf(tenantId, id);
      if (assessment !== null && identityOfAssessment(assessment) !== identityId) {
        throw invalidRequest([{ path: "otp.assessment_id", message: "is not of this user" }]);
      }
      const { method, backupCodesRemaining } = await askGuard(exchange, identityId, (guard, call) =>
        guard.verify(call, attempt, policy.lockout, assessment),
      );
      return reply(200, {
        status: "success" as const,
        id,
        message: "OTP verified successfully." as const,
        method,
        ...(backupCodesRemaining === undefined
          ? {}
          : { backup_codes_remaining: backupCodesRemaining }),
      });
    },
  ),
  route(
    {
      method: "post",
      path: "/v1/idp/user/backup-codes",
      name: "regenerateBackupCodes",
      summary: "Make ten new backup codes, shown only here; the old ones die",
      tag: "One-time passwords",
      access: tenantWith("idp:write"),
      body: none,
      query: ofUser,
      answers: {
        200: {
          description: "The new codes.",
          body: z.object({
            user: z.object({
              id: z.string(),
              backupCodes: z.array(z.string()).length(codesPerSet),
            }),
          }),
        },
      },
      errors: ["user_not_found", "user_suspended"],
    },
    async (exchange) => {
      const { externalUserId } = exchange.query;
      const { tenantId } = exchange.caller;
      const identityId = identityIdOf(tenantId, externalUserId);
      await claimRequestKey(exchange, tenantId, controlDb(exchange.env));
      const { codes } = await askGuard(exchange, identityId, (guard, call) =>
        guard.regenerateBackupCodes(call),
      );
      return reply(200, { user: { id: externalUserId, backupCodes: [...codes] } });
    },
  ),
];
