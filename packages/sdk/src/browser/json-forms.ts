/**
 * The JSON forms of Web Authentication Level 3, in which options and answers travel. Newer browsers convert them too
 * (`parseCreationOptionsFromJSON`, `toJSON`); these functions do it in every browser that has passkeys.
 */
import type {
  PasskeyAssertion,
  PasskeyAttestation,
  PasskeyCreationOptions,
  PasskeyRequestOptions,
} from "../types.ts";

const transports = ["ble", "hybrid", "internal", "nfc", "usb"] as const;

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
  credentials: PasskeyRequestOptions["allowCredentials"] = [],
): PublicKeyCredentialDescriptor[] {
  return credentials.map(({ id, type, transports: known = [] }) => ({
    id: decode(id),
    type,
    transports: transports.filter((one) => known.includes(one)),
  }));
}

export function parseCreationOptions(
  json: PasskeyCreationOptions,
): PublicKeyCredentialCreationOptions {
  return {
    ...json,
    challenge: decode(json.challenge),
    user: { ...json.user, id: decode(json.user.id) },
    excludeCredentials: parseCredentials(json.excludeCredentials),
  };
}

export function parseRequestOptions(
  json: PasskeyRequestOptions,
): PublicKeyCredentialRequestOptions {
  return {
    ...json,
    challenge: decode(json.challenge),
    allowCredentials: parseCredentials(json.allowCredentials),
  };
}

/** What the forms of both answers share. */
function formCredential(credential: PublicKeyCredential) {
  const { id, rawId, authenticatorAttachment: attachment } = credential;
  return {
    id,
    rawId: encode(rawId),
    type: "public-key",
    ...(attachment === null ? {} : { authenticatorAttachment: attachment }),
    clientExtensionResults: { ...credential.getClientExtensionResults() },
  } as const;
}

export function formAttestation(
  credential: PublicKeyCredential,
  response: AuthenticatorAttestationResponse,
): PasskeyAttestation {
  return {
    ...formCredential(credential),
    response: {
      clientDataJSON: encode(response.clientDataJSON),
      attestationObject: encode(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}

export function formAssertion(
  credential: PublicKeyCredential,
  response: AuthenticatorAssertionResponse,
): PasskeyAssertion {
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
