/** What a sealed box is bound to. It does not open for another identity or purpose. */

/** The tenant and identity that a piece of data belongs to. */
export interface Owner {
  readonly tenantId: string;
  readonly identityId: string;
}

export interface SealContext extends Owner {
  readonly purpose:
    | "totp_secret"
    | `totp_secret ${string}`
    | "audit_key"
    | "audit_personal"
    | "assessment"
    | `destination ${string}`
    | `receipt ${string}`;
}
