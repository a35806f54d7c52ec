/** What a guard keeps of an identity's TOTP secrets. */
import { z } from "zod";
import { type TotpParameters, totpAlgorithms } from "../../otp/totp.ts";

/** What is known of the codes of a secret that were accepted. */
interface Use {
  /** The newest accepted time step; every step up to it is spent (RFC 6238 §5.2). */
  readonly lastTimeStep: number | null;
  /** When that step was accepted, Unix ms. */
  readonly lastUsedAt: number | null;
}

/** The primary secret has the default parameters. Older builds stored only `sealed` and `lastTimeStep`. */
export interface PrimarySecret extends Partial<Use> {
  /** The secret in a sealed box. */
  readonly sealed: string;
  readonly lastTimeStep: number | null;
  readonly id?: string;
  /** Absent until the secret is renamed. */
  readonly name?: string;
}

/** A new primary secret that waits for its first code (enrolment `confirm`). */
export interface PendingSecret extends Partial<Use> {
  readonly sealed: string;
  readonly expiresAt: number;
  readonly id?: string;
  readonly name?: string;
}

/** A secret beside the primary one. */
export interface AddedSecret extends TotpParameters, Use {
  readonly id: string;
  readonly name: string;
  readonly sealed: string;
  /** When it expires unless a code of it is accepted, Unix ms; null once it is live. */
  readonly pendingUntil: number | null;
}

const optionalFields = {
  id: z.string().exactOptional(),
  name: z.string().exactOptional(),
  lastUsedAt: z.int().nullable().exactOptional(),
};

export const primarySecretSchema: z.ZodType<PrimarySecret> = z.looseObject({
  sealed: z.string(),
  lastTimeStep: z.int().nullable(),
  ...optionalFields,
});

export const pendingSecretSchema: z.ZodType<PendingSecret> = z.looseObject({
  sealed: z.string(),
  expiresAt: z.int(),
  lastTimeStep: z.int().nullable().exactOptional(),
  ...optionalFields,
});

export const addedSecretSchema: z.ZodType<AddedSecret> = z.looseObject({
  id: z.string(),
  name: z.string(),
  sealed: z.string(),
  algorithm: z.enum(totpAlgorithms),
  digits: z.int(),
  period: z.int(),
  pendingUntil: z.int().nullable(),
  lastTimeStep: z.int().nullable(),
  lastUsedAt: z.int().nullable(),
});
