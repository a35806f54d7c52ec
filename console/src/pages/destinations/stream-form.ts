/** The fields of a new stream, by its kind. */
import type { NewStream } from "@edge-idp/sdk";
import { texts } from "../../texts/en.ts";

const words = texts.destinations;

export const streamTypes = ["http", "splunk_hec", "datadog", "s3"] as const;
export type StreamType = (typeof streamTypes)[number];

export interface StreamField {
  readonly name: string;
  readonly label: string;
  readonly isSecret?: boolean;
  readonly isOptional?: boolean;
}

const url: StreamField = { name: "url", label: words.url };

export const streamFields: Readonly<Record<StreamType, readonly StreamField[]>> = {
  http: [url],
  splunk_hec: [
    url,
    { name: "token", label: words.token, isSecret: true },
    { name: "index", label: words.index, isOptional: true },
  ],
  datadog: [url, { name: "api_key", label: words.apiKey, isSecret: true }],
  s3: [
    { name: "endpoint", label: words.endpoint },
    { name: "bucket", label: words.bucket },
    { name: "region", label: words.region },
    { name: "prefix", label: words.prefix, isOptional: true },
    { name: "access_key_id", label: words.accessKeyId },
    { name: "secret_access_key", label: words.secretAccessKey, isSecret: true },
  ],
};

/** Lines such as `Authorization: Bearer x`. */
export function parseHeaders(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const [name = "", ...value] = line.split(":");
      return [name.trim(), value.join(":").trim()];
    }),
  );
}

export interface TypedStream {
  readonly type: StreamType;
  readonly format: "native" | "ocsf";
  /** By the name of the field. */
  readonly texts: Readonly<Record<string, string>>;
  readonly headers: string;
  readonly from: string;
}

/** What the reader has typed, as the API takes it. Fields of another kind, and empty ones, are left out. */
export function createStream({
  type,
  format,
  texts: typed,
  headers,
  from,
}: TypedStream): NewStream {
  const named = streamFields[type].flatMap(({ name }) => {
    const text = typed[name] ?? "";
    return text === "" ? [] : [[name, text] as const];
  });
  return {
    type,
    format,
    ...Object.fromEntries(named),
    ...(type === "http" && headers.trim() !== "" ? { headers: parseHeaders(headers) } : {}),
    ...(from === "" ? {} : { from: Number(from) }),
  };
}
