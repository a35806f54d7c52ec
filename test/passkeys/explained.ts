/** Each difference between the service and the library, with the reason. */

const cbor =
  "The specification asks for CTAP2's canonical CBOR. The library's decoder takes other forms.";
const base64url =
  "WebAuthn's base64url has one spelling. The library also reads padding and bits that stand for nothing.";
const utf8 = "The client data is UTF-8. The library replaces other bytes.";
const types = "The client data has fields of certain types. The library does not look at them.";
const frames =
  "The settings say which pages may frame the tenant's. The library compares topOrigin in authentications alone, and never crossOrigin.";
const keys =
  "A key that fits its algorithm is a condition of a registration. The library reads a key when it is first used.";
const envelope =
  "The id around the answer is that of the credential. The library does not compare them.";
const tokenBinding =
  "The field is no longer part of the specification, and has no meaning for the service.";

/** Beginnings of what the stricter side says. */
export const explained = {
  registration: {
    "service: id is not base64url": envelope,
    "service: response.attestationObject is about another credential": envelope,
    "service: response.clientDataJSON is not base64url": base64url,
    "service: response.attestationObject is not base64url": base64url,
    "service: response.attestationObject is not canonical CBOR": cbor,
    "service: response.attestationObject has authData that has a public key that is not a map":
      cbor,
    "service: response.attestationObject has authData that has extensions that are not a map": cbor,
    "service: response.attestationObject has no attStmt":
      "A statement is a map or an array. The library takes anything without entries for an empty one.",
    "service: response.attestationObject has a statement in the format none":
      "The statement of the format none is an empty map. The library takes an array for one.",
    "service: response.clientDataJSON is not UTF-8": utf8,
    "service: response.clientDataJSON has a crossOrigin": types,
    "service: response.clientDataJSON has a topOrigin": types,
    "service: The page was in a frame": frames,
    "service: The key": keys,
    "library: Unsupported Attestation Format":
      "The service asks for no attestation and reads no statement, so that it need not know the format.",
    "library: Unexpected tokenBinding.status": tokenBinding,
    "library: Unexpected value for TokenBinding": tokenBinding,
  },
  authentication: {
    "service: id is not base64url": envelope,
    "service: The answer is of another passkey": envelope,
    "service: response.clientDataJSON is not base64url": base64url,
    "service: response.authenticatorData is not base64url": base64url,
    "service: response.signature is not base64url": base64url,
    "service: response.userHandle is not base64url":
      "The user handle is base64url. The library leaves it to its caller.",
    "service: The passkey was made for another user":
      "The user handle is that of the user (§7.2 step 6). The library leaves it to its caller.",
    "service: response.authenticatorData has extensions that are not a map": cbor,
    "service: response.clientDataJSON is not UTF-8": utf8,
    "service: response.clientDataJSON has a crossOrigin": types,
    "service: The page was in a frame": frames,
    "service: The passkey's eligibility for backup":
      "The eligibility never changes (§7.2 step 19). The library leaves it to its caller.",
    "service: The signature does not fit":
      "An ECDSA signature is DER, which has one form for each number. The library takes others.",
    "library: ClientDataJSON tokenBinding": tokenBinding,
    "library: Unexpected tokenBinding status": tokenBinding,
  },
} as const satisfies Record<string, Record<string, string>>;
