/** A claim of a passkey, as the guard of its identity keeps it. */
export interface PasskeyClaim {
  readonly passkeyId: string;
  readonly claimId: string;
}
