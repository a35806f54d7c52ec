/** `/v1/idp/user/passkeys` and `/v1/idp/passkeys`: registration, administration and login. */
import { z } from "zod";
import { AppError } from "../errors.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none } from "../http/route.ts";
import { externalId, shownExternalId, userQuery } from "../http/schemas.ts";
import { createTextSchema } from "../text-schema.ts";
import { assessmentId } from "./assessment-schemas.ts";
import {
  authenticationResponse,
  challenge,
  creationOptions,
  exampleUserHandle,
  expiresAt,
  passkeyId,
  passkeySchema,
  registrationResponse,
  requestOptions,
  shownCredentialId,
} from "./passkey-schemas.ts";
import { address, agent } from "./session-schemas.ts";

const tag = "Passkeys";
const passkeyReasons = [
  ...["challenge", "type", "origin", "rp_id", "presence", "user_verification", "user_handle"],
  ...["signature", "counter", "key"],
];

const name = createTextSchema(1, 64).meta({
  description: "What the user calls the passkey.",
  examples: ["iPhone of Alexander"],
});

const reasonField = {
  reason: z.enum(passkeyReasons).meta({
    description: "With `invalid_passkey`: the step of the verification that failed.",
    examples: ["origin"],
  }),
};
const unknownField = {
  credential_id: shownCredentialId.meta({
    description:
      "With `passkey_unknown`: the credential id, for `PublicKeyCredential.signalUnknownCredential()`.",
  }),
};

export const passkeyRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/user/passkeys/options",
      name: "createPasskeyRegistrationOptions",
      summary: "Start the registration of a passkey",
      description:
        "Returns what the browser needs to create a passkey, with a challenge for five minutes. Nothing is stored. A user who has a factor must have been verified within `passkeys.recent_verification_seconds`.",
      tag,
      access: requirePermission("idp:write"),
      changesNothing: true,
      body: z.strictObject({
        passkey: z.strictObject({
          user_name: createTextSchema(1, 255).meta({
            description:
              "What the user signs in with. The authenticator shows it; it is not stored.",
            examples: ["alexander@enterprise.com"],
          }),
          display_name: createTextSchema(1, 255)
            .optional()
            .meta({
              description:
                "The name of the person. Without it, `user_name`. It is not stored either.",
              examples: ["Alexander"],
            }),
        }),
      }),
      query: userQuery,
      responses: {
        200: {
          description: "The options for `navigator.credentials.create()`.",
          body: z.object({
            passkey: z.object({ expires_at: expiresAt, public_key: creationOptions }),
          }),
        },
      },
      errors: [
        "passkeys_not_set_up",
        "user_not_found",
        "user_suspended",
        "verification_required",
        "too_many",
      ],
    },
    async () => {
      throw new AppError("unavailable");
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/user/passkeys",
      name: "registerPasskey",
      summary: "Register the passkey that a browser has created",
      description:
        "Verifies the new credential and adds it to the user's passkeys, at most ten. The challenge works once, and no longer after a passkey was removed or the user suspended.",
      tag,
      access: requirePermission("idp:write"),
      body: z.strictObject({
        passkey: z.strictObject({
          challenge,
          credential: registrationResponse,
          name: name.optional().meta({
            description: "What the user calls the passkey. Without it, `Passkey` and a number.",
          }),
        }),
      }),
      query: userQuery,
      responses: {
        201: { description: "The new passkey.", body: z.object({ passkey: passkeySchema }) },
      },
      errors: [
        "passkeys_not_set_up",
        "user_not_found",
        "user_suspended",
        "verification_required",
        "too_many",
        "passkey_exists",
        "invalid_passkey",
      ],
      errorFields: { invalid_passkey: reasonField },
    },
    async () => {
      throw new AppError("unavailable");
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/idp/user/passkeys",
      name: "listPasskeys",
      summary: "List a user's passkeys",
      description:
        "Lists the passkeys in the order of their registration. With `user_handle` and the credential ids, `PublicKeyCredential.signalAllAcceptedCredentials()` brings the user's devices up to date.",
      tag,
      access: requirePermission("idp:read"),
      body: none,
      query: userQuery,
      responses: {
        200: {
          description: "All passkeys of the user.",
          body: z.object({
            passkeys: z.array(passkeySchema),
            user_handle: z.string().meta({
              description: "The user handle, in base64url without padding.",
              examples: [exampleUserHandle],
            }),
          }),
        },
      },
      errors: ["user_not_found"],
    },
    async () => {
      throw new AppError("unavailable");
    },
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/idp/user/passkeys/:id",
      name: "renamePasskey",
      summary: "Rename a passkey",
      description: "Changes the name of a passkey.",
      tag,
      access: requirePermission("idp:write"),
      body: z.strictObject({ passkey: z.strictObject({ name }) }),
      query: userQuery,
      responses: {
        200: { description: "The passkey.", body: z.object({ passkey: passkeySchema }) },
      },
      errors: ["user_not_found", "passkey_not_found"],
    },
    async () => {
      throw new AppError("unavailable");
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/idp/user/passkeys/:id",
      name: "removePasskey",
      summary: "Remove a passkey",
      description:
        "Removes a passkey, so that it cannot be used any more. Ceremonies of the user that have started must start again.",
      tag,
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: { 204: { description: "The passkey is removed." } },
      errors: ["user_not_found", "passkey_not_found"],
    },
    async () => {
      throw new AppError("unavailable");
    },
  ),
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
    async () => {
      throw new AppError("unavailable");
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
          challenge,
          credential: authenticationResponse,
          id: externalId.optional(),
          assessment_id: assessmentId.optional().meta({
            description:
              "The assessment of the session. The event of the login names it. An accepted passkey confirms the session, and Sentinel learns from it.",
          }),
          context: z.strictObject({ ip: address, ua: agent }).optional().meta({
            description:
              "The user's session. It is a personal part of the event of the login, and decides nothing.",
          }),
        }),
      }),
      query: none,
      comparedBody: ({ passkey: { context, ...rest } }) => ({
        passkey: {
          ...rest,
          ...(context && { context: { ip: context.ip.text, ua: context.ua } }),
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
          }),
        },
      },
      errors: [
        "passkeys_not_set_up",
        "user_not_found",
        "user_suspended",
        "passkey_unknown",
        "invalid_passkey",
      ],
      errorFields: { passkey_unknown: unknownField, invalid_passkey: reasonField },
    },
    async () => {
      throw new AppError("unavailable");
    },
  ),
];
