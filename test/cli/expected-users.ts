/** The users of a fixture, as expected.json beside it describes them. */
import { z } from "zod";

export const expectedSchema = z.array(
  z.strictObject({
    external_id: z.string(),
    status: z.enum(["active", "suspended"]),
    secrets: z.array(
      z.strictObject({
        base32: z.string(),
        algorithm: z.string(),
        digits: z.number(),
        period: z.number(),
      }),
    ),
    codes: z.array(z.string()),
  }),
);
export type ExpectedUser = z.output<typeof expectedSchema>[number];
