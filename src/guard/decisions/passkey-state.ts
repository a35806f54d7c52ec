/** What a guard keeps of an identity's passkeys. */
import { z } from "zod";
import { algorithms, type Passkey } from "../../passkeys/passkey.ts";

export interface StoredPasskey extends Passkey {
  /** Names the claim of the passkey in D1. */
  readonly claimId: string;
}

/** A challenge whose answer was accepted, until it expires. */
export interface SpentChallenge {
  readonly nonce: string;
  /** Unix ms. */
  readonly issuedAt: number;
}

export interface PasskeyState {
  /** In the order of their registration. */
  readonly credentials: readonly StoredPasskey[];
  readonly spent: readonly SpentChallenge[];
  /** Challenges that were issued at this time (Unix ms) or before it are refused. */
  readonly floor: number;
}

/** The state of an identity that has none. */
export const noPasskeys: PasskeyState = { credentials: [], spent: [], floor: 0 };

export const passkeyStateSchema = z.looseObject({
  credentials: z.array(
    z.looseObject({
      id: z.string(),
      claimId: z.string(),
      credentialId: z.string(),
      publicKey: z.string(),
      algorithm: z.literal(algorithms),
      name: z.string(),
      rpId: z.string(),
      aaguid: z.string(),
      transports: z.array(z.string()),
      backupEligible: z.boolean(),
      backedUp: z.boolean(),
      userVerified: z.boolean(),
      signCount: z.int(),
      createdAt: z.int(),
      lastUsedAt: z.int().nullable(),
    }),
  ),
  spent: z.array(z.looseObject({ nonce: z.string(), issuedAt: z.int() })),
  floor: z.int(),
});
