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
  readonly authenticatorData: AuthenticatorData;
  /** Null where the authenticator names no user. */
  readonly userHandle: string | null;
  /** Authenticator data and the hash of the client data. */
  readonly signed: Uint8Array<ArrayBuffer>;
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

export function parseRegistration(_json: RegistrationJson): Parsed<ParsedRegistration> {
  throw new Error("TODO");
}

export function parseAuthentication(_json: AuthenticationJson): Parsed<ParsedAuthentication> {
  throw new Error("TODO");
}
export { decodeBase64url, decodeCbor, parseAuthenticatorData, parseClientData };
