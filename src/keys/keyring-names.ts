/** The service's keyrings (pure): their names, and the secrets that hold them. */

export const keyringNames = ["sealing", "backup_codes", "audit_signing"] as const;
export type KeyringName = (typeof keyringNames)[number];

export const secretOf: Readonly<Record<KeyringName, string>> = {
  sealing: "SEALING_KEYS",
  backup_codes: "BACKUP_CODE_KEYS",
  audit_signing: "AUDIT_SIGNING_KEYS",
};
