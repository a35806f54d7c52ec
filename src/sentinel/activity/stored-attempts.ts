/** The row of a prefix watch. */
import { z } from "zod";

export const storedAttemptsSchema = z.object({
  /** Real time, Unix ms. */
  storedAt: z.number(),
  attempts: z
    .array(z.object({ identityId: z.string(), address: z.string().nullable(), at: z.number() }))
    .readonly(),
});

export type StoredAttempts = Readonly<z.infer<typeof storedAttemptsSchema>>;
