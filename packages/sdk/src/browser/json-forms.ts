/**
 * The JSON forms of Web Authentication Level 3, in which options and answers travel. Newer browsers convert them too
 * (`parseCreationOptionsFromJSON`, `toJSON`); these functions do it in every browser that has passkeys.
 */
import type {
  PasskeyAuthentication,
  PasskeyCreationOptions,
  PasskeyRegistration,
  PasskeyRequestOptions,
} from "../types.ts";

const type = "public-key";
const transports = ["ble", "hybrid", "internal", "nfc", "usb"] as const;
const verifications = ["required", "preferred"] as const;

/** Decodes base64url. */
function decode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

function encode(buffer: ArrayBuffer): string {
  const bytes = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte));
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function parseCredentials(
  credentials: PasskeyRequestOptions["allowCredentials"],
): PublicKeyCredentialDescriptor[] {
  return credentials.map(({ id, transports: known }) => ({
    id: decode(id),
    type,
    transports: transports.filter((one) => known.includes(one)),
  }));
}

/** A text that this version does not know is the stricter one. */
function parseVerification(text: string): UserVerificationRequirement {
  return verifications.find((one) => one === text) ?? "required";
}

export function parseCreationOptions(
  json: PasskeyCreationOptions,
): PublicKeyCredentialCreationOptions {
  const { rp, user, challenge, timeout, pubKeyCredParams, authenticatorSelection } = json;
  return {
    rp,
    user: { ...user, id: decode(user.id) },
    challenge: decode(challenge),
    timeout,
    pubKeyCredParams: pubKeyCredParams.map(({ alg }) => ({ type, alg })),
    excludeCredentials: parseCredentials(json.excludeCredentials),
    authenticatorSelection: {
      residentKey: "required",
      requireResidentKey: true,
      userVerification: parseVerification(authenticatorSelection.userVerification),
    },
    attestation: "none",
  };
}

export function parseRequestOptions(
  json: PasskeyRequestOptions,
): PublicKeyCredentialRequestOptions {
  const { challenge, timeout, rpId, allowCredentials, userVerification } = json;
  return {
    challenge: decode(challenge),
    timeout,
    rpId,
    allowCredentials: parseCredentials(allowCredentials),
    userVerification: parseVerification(userVerification),
  };
}

/** What the forms of both answers share. */
function formCredential(credential: PublicKeyCredential) {
  const { id, rawId, authenticatorAttachment: attachment } = credential;
  return {
    id,
    rawId: encode(rawId),
    type,
    ...(attachment === null ? {} : { authenticatorAttachment: attachment }),
    clientExtensionResults: { ...credential.getClientExtensionResults() },
  } as const;
}

export function formRegistration(
  credential: PublicKeyCredential,
  response: AuthenticatorAttestationResponse,
): PasskeyRegistration {
  return {
    ...formCredential(credential),
    response: {
      clientDataJSON: encode(response.clientDataJSON),
      attestationObject: encode(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}

export function formAuthentication(
  credential: PublicKeyCredential,
  response: AuthenticatorAssertionResponse,
): PasskeyAuthentication {
  const { clientDataJSON, authenticatorData, signature, userHandle } = response;
  return {
    ...formCredential(credential),
    response: {
      clientDataJSON: encode(clientDataJSON),
      authenticatorData: encode(authenticatorData),
      signature: encode(signature),
      ...(userHandle === null ? {} : { userHandle: encode(userHandle) }),
    },
  };
}
