/** `/v1/idp/user/passkeys`: registering, listing, renaming and removing the passkeys of a user. */
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { askGuard, readGuard } from "../guard/client.ts";
import type { StoredPasskey } from "../guard/decisions/passkey-state.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { toRfc3339, toRfc3339OrNull, userQuery } from "../http/schemas.ts";
import { challengeLifetimeMs } from "../passkeys/challenge.ts";
import { parseRegistration } from "../passkeys/parse.ts";
import { algorithms } from "../passkeys/passkey.ts";
import { userHandleOf } from "../passkeys/user-handle.ts";
import { claimTenantRequestKey } from "../tenancy/claim-request-key.ts";
import { createTextSchema } from "../text-schema.ts";
import {
  describeCredential,
  issueChallenge,
  requireParsed,
  requireRelyingParty,
} from "./passkey-ceremony.ts";
import { exampleUserHandle } from "./passkey-examples.ts";
import {
  creationOptions,
  expiresAt,
  passkeySchema,
  reasonField,
  registrationChallenge,
  registrationResponse,
} from "./passkey-schemas.ts";

const tag = "Passkeys";

const name = createTextSchema(1, 64).meta({
  description: "What the user calls the passkey.",
  examples: ["iPhone of Alexander"],
});

function showPasskey(passkey: StoredPasskey): z.input<typeof passkeySchema> {
  return {
    id: passkey.id,
    credential_id: passkey.credentialId,
    name: passkey.name,
    rp_id: passkey.rpId,
    algorithm: passkey.algorithm,
    public_key: passkey.publicKey,
    aaguid: passkey.aaguid,
    transports: [...passkey.transports],
    backup_eligible: passkey.backupEligible,
    backed_up: passkey.backedUp,
    user_verified: passkey.userVerified,
    sign_count: passkey.signCount,
    created_at: toRfc3339(passkey.createdAt),
    last_used_at: toRfc3339OrNull(passkey.lastUsedAt),
  };
}

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
    async (request) => {
      const { tenantId, policy } = request.caller;
      const { externalUserId } = request.query;
      const { user_name: userName, display_name: displayName = userName } = request.body.passkey;
      const { relyingParty, rpName, userVerification } = requireRelyingParty(policy);
      const identityId = await identityIdOf(tenantId, externalUserId);
      const held = await readGuard(request, identityId, (guard, call) =>
        guard.startPasskeyRegistration(call, policy.passkeys.recentVerificationSeconds),
      );
      const rpId = relyingParty.id;
      const facts = { kind: "registration", tenantId, identityId, rpId, userVerification } as const;
      const issued = await issueChallenge(request, facts);
      return respond(200, {
        passkey: {
          expires_at: issued.expiresAt,
          public_key: {
            rp: { id: rpId, name: rpName },
            user: { id: userHandleOf(identityId), name: userName, displayName },
            challenge: issued.challenge,
            pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key" as const, alg })),
            timeout: challengeLifetimeMs,
            excludeCredentials: held.map(describeCredential),
            authenticatorSelection: {
              residentKey: "required" as const,
              requireResidentKey: true as const,
              userVerification,
            },
            attestation: "none" as const,
          },
        },
      });
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
          challenge: registrationChallenge,
          credential: registrationResponse,
          name: name.optional().meta({
            description: "What the user calls the passkey. Without it, `Passkey` and a number.",
          }),
        }),
      }),
      query: userQuery,
      // Without the members of the credential that are ignored.
      comparedBody: (body) => body,
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
    async (request) => {
      const { tenantId, policy } = request.caller;
      const { challenge, credential, name: chosenName = null } = request.body.passkey;
      const { relyingParty, userVerification } = requireRelyingParty(policy);
      const answer = requireParsed(parseRegistration(credential));
      const identityId = await identityIdOf(tenantId, request.query.externalUserId);
      await claimTenantRequestKey(request);
      const { recentVerificationSeconds } = policy.passkeys;
      const passkey = await askGuard(request, identityId, (guard, call) =>
        guard.registerPasskey(call, {
          answer,
          challenge,
          relyingParty,
          userVerification,
          recentVerificationSeconds,
          name: chosenName,
        }),
      );
      return respond(201, { passkey: showPasskey(passkey) });
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
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      const passkeys = await readGuard(request, identityId, (guard, call) =>
        guard.listPasskeys(call),
      );
      return respond(200, {
        passkeys: passkeys.map(showPasskey),
        user_handle: userHandleOf(identityId),
      });
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
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      const passkey = await askGuard(request, identityId, (guard, call) =>
        guard.renamePasskey(call, request.param("id"), request.body.passkey.name),
      );
      return respond(200, { passkey: showPasskey(passkey) });
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
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      await askGuard(request, identityId, (guard, call) =>
        guard.removePasskey(call, request.param("id")),
      );
      return respond(204, null);
    },
  ),
];
