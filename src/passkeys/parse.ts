/**
 * Parses the answers of a browser (pure), in the JSON forms of WebAuthn Level 3 (§5.1). What fails here is malformed,
 * and no ceremony can have made it. Facts that the answer states twice are taken from what the authenticator wrote.
 */
import { decodeCbor } from "../crypto/cbor.ts";
import { type AuthenticatorData, parseAuthenticatorData } from "./authenticator-data.ts";
import { decodeBase64url } from "./base64url.ts";
import { type ClientData, parseClientData } from "./client-data.ts";

/** The fields that are read of a `RegistrationResponseJSON`. Others may be there. */
export interface RegistrationJson {
  readonly id: string;
  readonly rawId: string;
  readonly type: string;
  readonly response: {
    readonly clientDataJSON: string;
    readonly attestationObject: string;
    readonly transports?: readonly string[] | undefined;
  };
}

/** The fields that are read of an `AuthenticationResponseJSON`. Others may be there. */
export interface AuthenticationJson {
  readonly id: string;
  readonly rawId: string;
  readonly type: string;
  readonly response: {
    readonly clientDataJSON: string;
    readonly authenticatorData: string;
    readonly signature: string;
    readonly userHandle?: string | null | undefined;
  };
}

/** Plain data, which can be sent to a guard. */
export interface ParsedRegistration {
  readonly clientData: ClientData;
  readonly authenticatorData: AuthenticatorData;
  readonly aaguid: string;
  /** base64url */
  readonly credentialId: string;
  /** A CBOR map, which should be a COSE key. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly transports: readonly string[];
}

/** Plain data, which can be sent to a guard. */
export interface ParsedAuthentication {
  /** base64url */
  readonly credentialId: string;
  readonly clientData: ClientData;
  readonly clientDataBytes: Uint8Array<ArrayBuffer>;
  readonly authenticatorData: AuthenticatorData;
  readonly authenticatorDataBytes: Uint8Array<ArrayBuffer>;
  /** base64url; null where the authenticator names no user. */
  readonly userHandle: string | null;
  readonly signature: Uint8Array<ArrayBuffer>;
}

export interface Malformed {
  readonly ok: false;
  /** Path in the JSON form, such as `response.clientDataJSON`. */
  readonly path: string;
  /** Continues a sentence that begins with the path. */
  readonly message: string;
}
export type Parsed<T> = { readonly ok: true; readonly value: T } | Malformed;

const notBase64url = "is not base64url without padding";
const maxTransports = 10;
/** The registered ones are words such as `internal`; the specification asks to keep unknown ones. */
const transportPattern = /^[!-~]{1,32}$/;

function reject(path: string, message: string): Malformed {
  return { ok: false, path, message };
}

/** Checks what both answers have beside the response. */
function findProblem({
  id,
  rawId,
  type,
}: Omit<RegistrationJson, "response">): Malformed | undefined {
  if (type !== "public-key") return reject("type", "must be public-key");
  if (decodeBase64url(id) === undefined) return reject("id", notBase64url);
  return id === rawId ? undefined : reject("rawId", "must be the same as id");
}

/** Decodes base64url, then parses the bytes. */
function parseField<T extends object>(
  path: string,
  text: string,
  parse: (bytes: Uint8Array<ArrayBuffer>) => T | string,
): Parsed<{ bytes: Uint8Array<ArrayBuffer>; content: T }> {
  const bytes = decodeBase64url(text);
  if (bytes === undefined) return reject(path, notBase64url);
  const content = parse(bytes);
  return typeof content === "string"
    ? reject(path, content)
    : { ok: true, value: { bytes, content } };
}

/**
 * Step 13 of §7.1. Of the attestation statement only this is checked: there is none in the format `none`. The policy
 * accepts every statement, so that others are not read.
 */
function parseAttestationObject(bytes: Uint8Array) {
  let object: ReturnType<typeof decodeCbor>;
  try {
    object = decodeCbor(bytes);
  } catch {
    return "is not canonical CBOR";
  }
  if (!(object instanceof Map)) return "is not a map";
  const [format, statement, data] = ["fmt", "attStmt", "authData"].map((key) => object.get(key));
  if (typeof format !== "string") return "has no fmt";
  if (!(data instanceof Uint8Array)) return "has no authData";
  const size = statement instanceof Map ? statement.size : undefined;
  if (size === undefined && !Array.isArray(statement)) return "has no attStmt";
  if (format === "none" && size !== 0) return "has a statement in the format none";
  const parsed = parseAuthenticatorData(data);
  if (typeof parsed === "string") return `has authData that ${parsed}`;
  const { attested } = parsed;
  return attested === null ? "has authData without a credential" : { ...parsed, attested };
}

/** @param json its fields have these types; nothing else is known of them */
export function parseRegistration(json: RegistrationJson): Parsed<ParsedRegistration> {
  const { clientDataJSON, attestationObject, transports = [] } = json.response;
  const problem = findProblem(json);
  if (problem !== undefined) return problem;
  const client = parseField("response.clientDataJSON", clientDataJSON, parseClientData);
  if (!client.ok) return client;
  const path = "response.attestationObject";
  const attestation = parseField(path, attestationObject, parseAttestationObject);
  if (!attestation.ok) return attestation;
  const { data, attested } = attestation.value.content;
  if (attested.credentialId !== json.id) return reject(path, "is about another credential than id");
  if (transports.length > maxTransports || !transports.every((one) => transportPattern.test(one))) {
    return reject("response.transports", "must be at most 10 words of at most 32 characters");
  }
  const value = {
    clientData: client.value.content,
    authenticatorData: data,
    ...attested,
    transports: [...new Set(transports)],
  };
  return { ok: true, value };
}

function parseAssertionData(bytes: Uint8Array) {
  const parsed = parseAuthenticatorData(bytes);
  if (typeof parsed === "string") return parsed;
  return parsed.attested === null ? parsed : "has a credential, which only a registration has";
}

/** @param json its fields have these types; nothing else is known of them */
export function parseAuthentication(json: AuthenticationJson): Parsed<ParsedAuthentication> {
  const { clientDataJSON, authenticatorData, signature, userHandle = null } = json.response;
  const problem = findProblem(json);
  if (problem !== undefined) return problem;
  const client = parseField("response.clientDataJSON", clientDataJSON, parseClientData);
  if (!client.ok) return client;
  const path = "response.authenticatorData";
  const authenticator = parseField(path, authenticatorData, parseAssertionData);
  if (!authenticator.ok) return authenticator;
  const signatureBytes = decodeBase64url(signature);
  if (signatureBytes === undefined) return reject("response.signature", notBase64url);
  if (userHandle !== null && decodeBase64url(userHandle) === undefined) {
    return reject("response.userHandle", notBase64url);
  }
  const value = {
    credentialId: json.id,
    clientData: client.value.content,
    clientDataBytes: client.value.bytes,
    authenticatorData: authenticator.value.content.data,
    authenticatorDataBytes: authenticator.value.bytes,
    userHandle,
    signature: signatureBytes,
  };
  return { ok: true, value };
}
