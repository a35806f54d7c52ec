/** The mode of a new file that has a secret, or says something about persons: only its owner can read it. */
export const ownerOnly = 0o600;
