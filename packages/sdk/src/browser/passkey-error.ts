/** Why a browser gave no passkey. */

/**
 * `cancelled`: the user refused, was too slow, or has no passkey that fits; browsers do not tell which.
 * `exists`: the device already has a passkey of this user.
 * `unsupported`: the browser or the device cannot do it, or the page has no TLS.
 * `wrong_site`: the page is not on the site of the `rp_id`.
 * `failed`: anything else; see `cause`.
 */
export type PasskeyErrorCode = "cancelled" | "exists" | "unsupported" | "wrong_site" | "failed";

const messages: Readonly<Record<PasskeyErrorCode, string>> = {
  cancelled: "The request was refused or took too long, or no passkey fits.",
  exists: "The device already has a passkey of this user.",
  unsupported: "The browser or the device cannot use such a passkey, or the page has no TLS.",
  wrong_site: "The page is not on the site of the rp_id.",
  failed: "The browser could not use a passkey; see the cause.",
};

/** The names of the errors with which browsers refuse (Web Authentication Level 3). */
const codesOfNames: ReadonlyMap<string, PasskeyErrorCode> = new Map([
  ["NotAllowedError", "cancelled"],
  ["AbortError", "cancelled"],
  ["InvalidStateError", "exists"],
  ["NotSupportedError", "unsupported"],
  ["ConstraintError", "unsupported"],
  ["SecurityError", "wrong_site"],
]);

export class PasskeyError extends Error {
  override readonly name = "PasskeyError";
  readonly code: PasskeyErrorCode;

  constructor(code: PasskeyErrorCode, cause?: unknown) {
    super(messages[code], cause === undefined ? {} : { cause });
    this.code = code;
  }
}

/** The error for what `navigator.credentials` rejected with. */
export function errorOfBrowser(cause: unknown): PasskeyError {
  const name = cause instanceof DOMException ? cause.name : "";
  return new PasskeyError(codesOfNames.get(name) ?? "failed", cause);
}
