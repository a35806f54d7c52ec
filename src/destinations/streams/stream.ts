/** What a stream is: where it sends, in which format, and with which credentials. */
import { z } from "zod";

export const streamFormats = ["native", "ocsf"] as const;

const format = z.enum(streamFormats);

export const streamTarget = z.discriminatedUnion("type", [
  /** A receiver of NDJSON. */
  z.object({
    type: z.literal("http"),
    format,
    url: z.string(),
    headers: z.record(z.string(), z.string()),
  }),
  z.object({
    /** The base of the collector, without `/services/collector/event`. */
    type: z.literal("splunk_hec"),
    format,
    url: z.string(),
    token: z.string(),
    index: z.string().nullable(),
  }),
  z.object({
    /** The base of the intake, without `/api/v2/logs`. */
    type: z.literal("datadog"),
    format,
    url: z.string(),
    api_key: z.string(),
  }),
  z.object({
    type: z.literal("s3"),
    format,
    endpoint: z.string(),
    bucket: z.string(),
    region: z.string(),
    prefix: z.string(),
    access_key_id: z.string(),
    secret_access_key: z.string(),
  }),
]);

export type StreamTarget = Readonly<z.output<typeof streamTarget>>;
export type StreamType = StreamTarget["type"];
export type TargetOf<Type extends StreamType> = Extract<StreamTarget, { type: Type }>;
export const streamTypes = ["http", "splunk_hec", "datadog", "s3"] as const;

/** What is sealed, and shown to nobody. The values of headers may be secrets. */
export const secretFields = ["headers", "token", "api_key", "secret_access_key"] as const;

export const streamCredentials = z.record(z.string(), z.unknown());

/** The fields of a target that are stored in clear and shown, and the credentials, which are sealed. */
export function splitTarget(target: StreamTarget): {
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly credentials: Readonly<Record<string, unknown>>;
} {
  const isSecret = (field: string) => secretFields.some((secret) => secret === field);
  const fields = Object.entries(target);
  const names = target.type === "http" ? { header_names: Object.keys(target.headers) } : {};
  return {
    configuration: {
      ...Object.fromEntries(fields.filter(([field]) => !isSecret(field))),
      ...names,
    },
    credentials: Object.fromEntries(fields.filter(([field]) => isSecret(field))),
  };
}

/** @throws ZodError if the two do not belong together */
export function joinTarget(configuration: object, credentials: object): StreamTarget {
  return streamTarget.parse({ ...configuration, ...credentials });
}

/** A stream that is ready to send. */
export interface OpenStream {
  readonly tenantId: string;
  readonly target: StreamTarget;
}
