/**
 * Passkeys in a browser: from the options that your backend got from `idp.passkeys` to the answer that it sends back.
 * A browser has no API token, and needs none.
 */
import type {
  PasskeyAuthentication,
  PasskeyCreationOptions,
  PasskeyRegistration,
  PasskeyRequestOptions,
} from "../types.ts";
import {
  formAuthentication,
  formRegistration,
  parseCreationOptions,
  parseRequestOptions,
} from "./json-forms.ts";
import { errorOfBrowser, PasskeyError } from "./passkey-error.ts";

export type {
  PasskeyAuthentication,
  PasskeyCreationOptions,
  PasskeyRegistration,
  PasskeyRequestOptions,
} from "../types.ts";
export { PasskeyError, type PasskeyErrorCode } from "./passkey-error.ts";

export interface CreatePasskeyOptions {
  /** Ends the request, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface GetPasskeyOptions extends CreatePasskeyOptions {
  /**
   * `conditional` opens no dialog: the browser suggests passkeys in the input with `autocomplete="username webauthn"`,
   * and the promise waits until the user picks one. End it by the signal before another request.
   */
  readonly mediation?: "conditional" | undefined;
}

export interface UnknownPasskey {
  readonly rpId: string;
  readonly credentialId: string;
}

/** What the declarations of TypeScript do not have yet, nor some browsers. */
interface Signals {
  signalUnknownCredential?(passkey: UnknownPasskey): Promise<void>;
}

/** Makes the request, and finds out why it failed. */
async function ask<Answer>(
  signal: AbortSignal | undefined,
  request: () => Promise<Answer>,
): Promise<Answer> {
  if (!("PublicKeyCredential" in globalThis)) throw new PasskeyError("unsupported");
  try {
    return await request();
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof PasskeyError ? error : errorOfBrowser(error);
  }
}

// The passkeys of an extension may be objects of its own, and no instances of the browser's classes.

function isPasskey(credential: Credential | null): credential is PublicKeyCredential {
  return credential !== null && "rawId" in credential && "response" in credential;
}

function isAttestation(
  response: AuthenticatorResponse,
): response is AuthenticatorAttestationResponse {
  return "attestationObject" in response;
}

function isAssertion(response: AuthenticatorResponse): response is AuthenticatorAssertionResponse {
  return "signature" in response;
}

/**
 * Creates a passkey, in a dialog of the browser.
 *
 * @param publicKey `public_key` of `idp.passkeys.createRegistrationOptions`
 * @returns `credential` for `idp.passkeys.register`
 * @throws PasskeyError
 */
export function createPasskey(
  publicKey: PasskeyCreationOptions,
  { signal }: CreatePasskeyOptions = {},
): Promise<PasskeyRegistration> {
  return ask(signal, async () => {
    const options = { publicKey: parseCreationOptions(publicKey), ...(signal && { signal }) };
    const credential = await navigator.credentials.create(options);
    if (!isPasskey(credential) || !isAttestation(credential.response)) {
      throw new PasskeyError("failed");
    }
    return formRegistration(credential, credential.response);
  });
}

/**
 * Proves that the user has a passkey, in a dialog of the browser or as a suggestion of an input.
 *
 * @param publicKey `public_key` of `idp.passkeys.createAuthenticationOptions`
 * @returns `credential` for `idp.passkeys.verify`
 * @throws PasskeyError `unsupported` too where the browser suggests no passkeys
 */
export function getPasskey(
  publicKey: PasskeyRequestOptions,
  { mediation, signal }: GetPasskeyOptions = {},
): Promise<PasskeyAuthentication> {
  return ask(signal, async () => {
    // A browser that knows no suggestions would open its dialog.
    if (mediation && !(await PublicKeyCredential.isConditionalMediationAvailable?.())) {
      throw new PasskeyError("unsupported");
    }
    const options = {
      publicKey: parseRequestOptions(publicKey),
      ...(mediation && { mediation }),
      ...(signal && { signal }),
    };
    const credential = await navigator.credentials.get(options);
    if (!isPasskey(credential) || !isAssertion(credential.response)) {
      throw new PasskeyError("failed");
    }
    return formAuthentication(credential, credential.response);
  });
}

/**
 * Tells the browser that no user has this passkey any more, so that it stops offering it: after a `passkey_unknown`, and
 * after a removal. It does nothing where the browser cannot be told.
 *
 * @param passkey `rpId`, as in the options, and the `credential_id` of the error or of the removed passkey
 */
export async function signalUnknownPasskey(passkey: UnknownPasskey): Promise<void> {
  if (!("PublicKeyCredential" in globalThis)) return;
  const signals: typeof PublicKeyCredential & Signals = PublicKeyCredential;
  await signals.signalUnknownCredential?.(passkey);
}
