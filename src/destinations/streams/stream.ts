/** What a stream sends, and where: its public configuration and its credentials. */
import { z } from "zod";

/** The configuration as it is stored, and shown. */
export const streamConfiguration = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("http"),
    format: z.enum(["native", "ocsf"]),
    url: z.string(),
  }),
]);
export type StreamConfiguration = Readonly<z.output<typeof streamConfiguration>>;

/** The credentials as they are sealed; never shown. Headers may contain secrets, so they are credentials too. */
export const streamCredentials = z.strictObject({
  headers: z.record(z.string(), z.string()).exactOptional(),
});
export type StreamCredentials = Readonly<z.output<typeof streamCredentials>>;

/** A stream that is ready to send. */
export interface OpenStream {
  readonly id: string;
  readonly tenantId: string;
  readonly configuration: StreamConfiguration;
  readonly credentials: StreamCredentials;
}
