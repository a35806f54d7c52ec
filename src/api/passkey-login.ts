/** `/v1/idp/passkeys`: login with a passkey, of a named user or of anyone who has one. */
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { AppError } from "../errors.ts";
import { askGuard, readGuard } from "../guard/client.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { assessmentId, externalId, shownExternalId } from "../http/schemas.ts";
import { challengeLifetimeMs } from "../passkeys/challenge.ts";
import { type ParsedAuthentication, parseAuthentication } from "../passkeys/parse.ts";
import { identityIdOfHandle } from "../passkeys/user-handle.ts";
import { buildAttemptSession } from "./attempt-session.ts";
import {
  buildDeviceRequest,
  deviceFields,
  deviceToken,
  shownDevice,
  showVerifiedDevice,
} from "./device-schemas.ts";
import {
  describeCredential,
  issueChallenge,
  requireParsed,
  requireRelyingParty,
} from "./passkey-ceremony.ts";
import {
  authenticationResponse,
  expiresAt,
  loginChallenge,
  passkeyId,
  reasonField,
  requestOptions,
  shownCredentialId,
} from "./passkey-schemas.ts";
import { address, agent } from "./session-schemas.ts";
import { prepareStepUp, shownToken, stepUpRequest } from "./step-up.ts";

const tag = "Passkeys";

const unknownField = {
  credential_id: shownCredentialId.meta({
    description:
      "With `passkey_unknown`: the credential id, for `PublicKeyCredential.signalUnknownCredential()`.",
  }),
};

function createUnknownPasskey({ credentialId }: ParsedAuthentication): AppError {
  return new AppError("passkey_unknown", { fields: { credential_id: credentialId } });
}

/** The identity that the user handle names. @throws AppError */
function findIdentity(answer: ParsedAuthentication): string {
  if (answer.userHandle === null) {
    throw new AppError("invalid_passkey", {
      message: "The answer names no user; send the id, with a challenge for this user.",
      fields: { reason: "user_handle" },
    });
  }
  const identityId = identityIdOfHandle(answer.userHandle);
  if (identityId === undefined) throw createUnknownPasskey(answer);
  return identityId;
}

export const passkeyLoginRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/passkeys/options",
      name: "createPasskeyAuthenticationOptions",
      summary: "Start a login with a passkey",
      description:
        "Returns what the browser needs to use a passkey, with a challenge for five minutes. Nothing is stored. With `id`, the challenge is for this user alone; without it, the browser lets the person choose among all passkeys, also in the autofill of a form.",
      tag,
      access: requirePermission("idp:write"),
      changesNothing: true,
      body: z.strictObject({ passkey: z.strictObject({ id: externalId.optional() }) }),
      query: none,
      responses: {
        200: {
          description: "The options for `navigator.credentials.get()`.",
          body: z.object({
            passkey: z.object({ expires_at: expiresAt, public_key: requestOptions }),
          }),
        },
      },
      errors: ["passkeys_not_set_up", "user_not_found", "user_suspended", "passkey_not_configured"],
    },
    async (request) => {
      const { tenantId, policy } = request.caller;
      const { id } = request.body.passkey;
      const { relyingParty, userVerification } = requireRelyingParty(policy);
      const rpId = relyingParty.id;
      const identityId = id === undefined ? null : await identityIdOf(tenantId, id);
      const usable =
        identityId === null
          ? []
          : await readGuard(request, identityId, (guard, call) =>
              guard.startPasskeyAuthentication(call, { rpId, userVerification }),
            );
      const facts = {
        kind: "authentication" as const,
        tenantId,
        identityId,
        rpId,
        userVerification,
      };
      const issued = await issueChallenge(request, facts);
      return respond(200, {
        passkey: {
          expires_at: issued.expiresAt,
          public_key: {
            challenge: issued.challenge,
            timeout: challengeLifetimeMs,
            rpId,
            allowCredentials: usable.map(describeCredential),
            userVerification,
          },
        },
      });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/passkeys/verify",
      name: "verifyPasskey",
      summary: "Verify the answer of a passkey",
      description:
        "Verifies the answer of a passkey, which is accepted once. `id` must be sent exactly if the options had one. Failures never lock the user, and a lock of codes never refuses a passkey.",
      tag,
      access: requirePermission("idp:write"),
      body: z.strictObject({
        passkey: z.strictObject({
          challenge: loginChallenge,
          credential: authenticationResponse,
          id: externalId.optional(),
          assessment_id: assessmentId.optional().meta({
            description:
              "The assessment of the session. The event of the login names it. An accepted passkey confirms the session, and Sentinel learns from it.",
          }),
          context: z
            .strictObject({ ip: address, ua: agent, device_token: deviceToken.optional() })
            .optional()
            .meta({
              description:
                "The user's session. Address and agent are personal parts of the event of the login, and decide nothing. The device token may be here in place of `device_token`; sent twice, both must be equal.",
            }),
          ...deviceFields,
          token: stepUpRequest.optional(),
        }),
      }),
      query: none,
      comparedBody: ({ passkey: { context, ...rest } }) => ({
        passkey: {
          ...rest,
          ...(context && { context: { ...context, ip: context.ip.text } }),
        },
      }),
      responses: {
        200: {
          description: "The passkey was accepted.",
          body: z.object({
            status: z.literal("success"),
            id: shownExternalId,
            message: z.literal("Passkey verified successfully."),
            method: z.literal("passkey"),
            user_verified: z.boolean().meta({
              description:
                "Whether the authenticator verified the user now and at the registration.",
              examples: [true],
            }),
            passkey: z.object({
              id: passkeyId,
              credential_id: shownCredentialId,
              backed_up: z.boolean().meta({ examples: [true] }),
            }),
            device: shownDevice.optional(),
            token: shownToken.optional(),
          }),
        },
      },
      errors: [
        "passkeys_not_set_up",
        "user_not_found",
        "user_suspended",
        "passkey_unknown",
        "invalid_passkey",
        "step_up_tokens_not_set_up",
      ],
      errorFields: { passkey_unknown: unknownField, invalid_passkey: reasonField },
    },
    async (request) => {
      const { tenantId, policy } = request.caller;
      const { challenge, credential, id } = request.body.passkey;
      const { relyingParty, userVerification } = requireRelyingParty(policy);
      const answer = requireParsed(parseAuthentication(credential));
      const identityId = id === undefined ? findIdentity(answer) : await identityIdOf(tenantId, id);
      const session = buildAttemptSession(request.body.passkey, identityId, "passkey");
      const device = buildDeviceRequest(request.body.passkey, { tenantId, identityId }, "passkey");
      const isNamed = id !== undefined;
      const attempt = { answer, challenge, relyingParty, userVerification, isNamed };
      const stepUp = await prepareStepUp(request, request.body.passkey.token);
      const verified = await askGuard(stepUp.caller, identityId, (guard, call) =>
        guard.verifyPasskey({ ...call, ...session, ...device }, attempt),
      ).catch((error: unknown) => {
        const isUnknown = error instanceof AppError && error.code === "user_not_found";
        throw isUnknown && !isNamed ? createUnknownPasskey(answer) : error;
      });
      const { externalId: externalUserId, passkeyId, credentialId, backedUp, risk } = verified;
      const { userVerified, backupEligible } = verified;
      const factor = { method: "passkey" as const, userVerified, backupEligible };
      return respond(200, {
        status: "success" as const,
        id: externalUserId,
        message: "Passkey verified successfully." as const,
        method: "passkey" as const,
        user_verified: userVerified,
        passkey: { id: passkeyId, credential_id: credentialId, backed_up: backedUp },
        ...showVerifiedDevice(verified),
        ...(await stepUp.issue({ externalId: externalUserId, factor, risk })),
      });
    },
  ),
];
