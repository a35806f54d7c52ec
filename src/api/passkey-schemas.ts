/** The JSON forms of WebAuthn Level 3, and a passkey as the API shows it. */
import { z } from "zod";
import { instant } from "../http/schemas.ts";
import { passkeyReasons } from "../passkeys/passkey.ts";
import {
  exampleAuthentication,
  exampleLoginChallenge,
  examplePublicKey,
  exampleRegistration,
  exampleRegistrationChallenge,
  exampleRpId,
  exampleUserHandle,
} from "./passkey-examples.ts";

const exampleCredentialId = exampleRegistration.id;

const encoded = z.string().meta({ description: "Base64url without padding." });

function createEncodedSchema(description: string, maxLength: number, example: string) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[A-Za-z0-9_-]+$/)
    .meta({ description: `${description} Base64url without padding.`, examples: [example] });
}

/** @param example a challenge of the ceremony */
function createChallengeSchema(example: string) {
  return createEncodedSchema(
    "The `challenge` of the options, from the session of the browser that they were sent to.",
    200,
    example,
  );
}

export const registrationChallenge = createChallengeSchema(exampleRegistrationChallenge);
export const loginChallenge = createChallengeSchema(exampleLoginChallenge);

/** A credential id has at most 1,023 bytes (WebAuthn Level 3 §4). */
const credentialId = createEncodedSchema("The credential id.", 1_364, exampleCredentialId);

/** No part is longer than a body may be. */
const maxPartLength = 16 * 1024;

function createPartSchema(name: string, example: string) {
  return createEncodedSchema(`\`${name}\` as the browser returned it.`, maxPartLength, example);
}

/** The members that both ceremonies have. Browsers add further ones, which are left out of the parsed body. */
const credentialFields = {
  id: credentialId,
  rawId: credentialId.meta({ description: "The same as `id`." }),
  type: z.literal("public-key"),
};

export const registrationResponse = z
  .object({
    ...credentialFields,
    response: z.object({
      clientDataJSON: createPartSchema(
        "clientDataJSON",
        exampleRegistration.response.clientDataJSON,
      ),
      attestationObject: createPartSchema(
        "attestationObject",
        exampleRegistration.response.attestationObject,
      ),
      transports: z
        .array(z.string().regex(/^[!-~]{1,32}$/))
        .max(10)
        .optional()
        .meta({ examples: [["internal", "hybrid"]] }),
    }),
  })
  .meta({
    id: "RegistrationResponse",
    examples: [exampleRegistration],
    description:
      "`RegistrationResponseJSON` of WebAuthn Level 3, as `toJSON()` of the new credential returns it. Further members are accepted and ignored.",
  });

export const authenticationResponse = z
  .object({
    ...credentialFields,
    response: z.object({
      clientDataJSON: createPartSchema(
        "clientDataJSON",
        exampleAuthentication.response.clientDataJSON,
      ),
      authenticatorData: createPartSchema(
        "authenticatorData",
        exampleAuthentication.response.authenticatorData,
      ),
      signature: createPartSchema("signature", exampleAuthentication.response.signature),
      userHandle: createEncodedSchema("The `user_handle`.", 88, exampleUserHandle)
        .nullable()
        .optional(),
    }),
  })
  .meta({
    id: "AuthenticationResponse",
    examples: [exampleAuthentication],
    description:
      "`AuthenticationResponseJSON` of WebAuthn Level 3, as `toJSON()` of the credential returns it. Further members are accepted and ignored.",
  });

const descriptor = z
  .object({
    type: z.literal("public-key"),
    id: encoded.meta({ examples: [exampleCredentialId] }),
    transports: z.array(z.string()).meta({ examples: [["internal", "hybrid"]] }),
  })
  .meta({ id: "PublicKeyCredentialDescriptor", description: "A credential of the user." });

const userVerification = z.enum(["required", "preferred"]).meta({
  description: "The setting `passkeys.user_verification`.",
});

const timeout = z.int().meta({ description: "Milliseconds.", examples: [300_000] });

function createShownChallenge(example: string) {
  return encoded.meta({
    description:
      "The challenge, which holds for five minutes and works once. Keep it in the browser's session, and send it back with the credential.",
    examples: [example],
  });
}

export const creationOptions = z
  .object({
    rp: z.object({
      id: z.string().meta({ examples: [exampleRpId] }),
      name: z.string().meta({ examples: ["Example"] }),
    }),
    user: z.object({
      id: encoded.meta({
        description: "The user handle: the bytes of the identity's `id`.",
        examples: [exampleUserHandle],
      }),
      name: z.string().meta({ examples: ["alexander@enterprise.com"] }),
      displayName: z.string().meta({ examples: ["Alexander"] }),
    }),
    challenge: createShownChallenge(exampleRegistrationChallenge),
    pubKeyCredParams: z
      .array(z.object({ type: z.literal("public-key"), alg: z.int() }))
      .meta({ examples: [[{ type: "public-key", alg: -7 }]] }),
    timeout,
    excludeCredentials: z
      .array(descriptor)
      .meta({ description: "All passkeys of the user: an authenticator keeps one for each user." }),
    authenticatorSelection: z.object({
      residentKey: z.literal("required"),
      requireResidentKey: z.literal(true),
      userVerification,
    }),
    attestation: z.literal("none"),
  })
  .meta({
    id: "PublicKeyCredentialCreationOptions",
    description:
      "`PublicKeyCredentialCreationOptionsJSON` of WebAuthn Level 3, for `PublicKeyCredential.parseCreationOptionsFromJSON()`.",
  });

export const requestOptions = z
  .object({
    challenge: createShownChallenge(exampleLoginChallenge),
    timeout,
    rpId: z.string().meta({ examples: [exampleRpId] }),
    allowCredentials: z.array(descriptor).meta({
      description: "The passkeys of the named user. Empty if the options name no user.",
    }),
    userVerification,
  })
  .meta({
    id: "PublicKeyCredentialRequestOptions",
    description:
      "`PublicKeyCredentialRequestOptionsJSON` of WebAuthn Level 3, for `PublicKeyCredential.parseRequestOptionsFromJSON()`.",
  });

export const expiresAt = instant.meta({ description: "When the challenge expires." });

export const reasonField = {
  reason: z.enum(passkeyReasons).meta({
    description: "With `invalid_passkey`: the step of the verification that failed.",
    examples: ["origin"],
  }),
};

export const passkeyId = z
  .string()
  .regex(/^[0-9a-f]{24}$/)
  .meta({
    description: "The passkey's id: 24 hex digits, from SHA-256 of tenant and credential id.",
    examples: ["3f9c1a7be2045d8816c0aa47"],
  });

export const shownCredentialId = encoded.meta({ examples: [exampleCredentialId] });

export const passkeySchema = z
  .object({
    id: passkeyId,
    credential_id: shownCredentialId,
    name: z.string().meta({ examples: ["iPhone of Alexander"] }),
    rp_id: z.string().meta({
      description:
        "The setting `passkeys.rp_id` at the registration. Only there the passkey works.",
      examples: [exampleRpId],
    }),
    algorithm: z.int().meta({
      description: "COSE: −7 (ES256), −8 (EdDSA) or −257 (RS256).",
      examples: [-7],
    }),
    public_key: encoded.meta({
      description: "The COSE key, in base64url without padding. It is not secret.",
      examples: [examplePublicKey],
    }),
    aaguid: z.string().meta({
      description: "The model of the authenticator, as it states it.",
      examples: ["00000000-0000-0000-0000-000000000000"],
    }),
    transports: z.array(z.string()).meta({ examples: [["internal", "hybrid"]] }),
    backup_eligible: z.boolean().meta({
      description: "True if the passkey can be synced; false if it is bound to one device.",
      examples: [true],
    }),
    backed_up: z.boolean().meta({ examples: [true] }),
    user_verified: z.boolean().meta({
      description: "Whether the authenticator verified the user at the registration.",
      examples: [true],
    }),
    sign_count: z
      .int()
      .min(0)
      .meta({ examples: [0] }),
    created_at: instant,
    last_used_at: instant.nullable().meta({ examples: [null] }),
  })
  .meta({ id: "Passkey" });
