/** What a sealed box is bound to: it does not open for another identity or purpose. */

/** The identity whose data is in a box. */
export interface Owner {
  readonly tenantId: string;
  readonly identityId: string;
}

export interface SealContext extends Owner {
  readonly purpose: "totp_secret" | "audit_key" | "audit_personal" | `receipt ${string}`;
}
