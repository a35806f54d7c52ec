/** The verifier can give no verdict: a text is not what it should be, or the runtime lacks Ed25519. */
export class CannotVerifyError extends Error {
  constructor(message: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.name = "CannotVerifyError";
  }
}
