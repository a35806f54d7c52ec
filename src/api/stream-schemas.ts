/** Streams in the JSON of the API. */
import { z } from "zod";
import type { DescribedDestination } from "../destinations/describe.ts";
import type { ListedAttempt } from "../destinations/follower-storage.ts";
import { streamFormats, streamTypes } from "../destinations/streams/stream.ts";
import { id, instant, toRfc3339OrNull } from "../http/schemas.ts";
import {
  attemptFields,
  destinationFields,
  newStatus,
  showAttempt,
  showDestination,
  targetUrl,
} from "./destination-schemas.ts";

/** A credential goes into a header, so it has visible ASCII characters. */
const credential = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, "must have 1 to 255 visible ASCII characters");
/** No segment begins with a dot, so that no key leaves its bucket. */
const prefixPattern = /^([A-Za-z0-9_-][A-Za-z0-9._-]*\/)*([A-Za-z0-9_-][A-Za-z0-9._-]*)?$/;

const type = z.enum(streamTypes).meta({
  description:
    "`http`: any receiver of NDJSON. `splunk_hec`: the HTTP Event Collector of Splunk. `datadog`: the log intake of Datadog. `s3`: a bucket of Amazon S3, R2 or a compatible store.",
});
const format = z.enum(streamFormats).meta({
  description:
    "`native`: events as the API shows them. `ocsf`: events in version 1.8.0 of the Open Cybersecurity Schema Framework.",
});
const index = z
  .string()
  .regex(/^[a-z0-9_][a-z0-9_-]{0,79}$/, "must be the name of an index")
  .nullable()
  .meta({
    description: "`splunk_hec`: the index; null: the default of the token.",
    examples: ["security"],
  });
const bucket = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket")
  .meta({ description: "`s3`: the bucket.", examples: ["acme-audit"] });
const region = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, "must be the name of a region")
  .meta({
    description: "`s3`: the region that signatures name; `auto` for R2.",
    examples: ["eu-central-1"],
  });
const prefix = z
  .string()
  .regex(
    prefixPattern,
    "must have segments of letters, digits, `.`, `_` and `-`, none of which begins with a dot",
  )
  .max(255)
  .meta({ description: "`s3`: what the keys begin with.", examples: ["idp/"] });
const accessKeyId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, "must be the id of an access key")
  .meta({ description: "`s3`: the id of the access key.", examples: ["AKIAIOSFODNN7EXAMPLE"] });
const shownUrl = z.string().meta({
  description: "Of all types but `s3`: where the events are sent.",
  examples: ["https://splunk.example.com:8443"],
});
const shownEndpoint = z.string().meta({
  description: "`s3`: the address of the store.",
  examples: ["https://s3.eu-central-1.amazonaws.com"],
});

/** What a request can set; `createTarget` knows which fields a type has. */
const wantedFields = {
  format: format.optional(),
  url: targetUrl.optional().meta({
    description:
      "Of all types but `s3`, which need it: where the events are sent. For `splunk_hec` and `datadog` it is the base, to which the path of the interface is added. https, a public host name, port 443 or 8443; tenants in test mode may send to http and to this machine too.",
    examples: ["https://splunk.example.com:8443"],
  }),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta({
      description:
        "`http`: up to 20 headers of your own choice, such as `Authorization`. Their values are never shown.",
      examples: [{ Authorization: "Bearer 5f1c…" }],
    }),
  token: credential.optional().meta({
    description: "`splunk_hec` needs it: the token of the collector. Never shown.",
    examples: ["12345678-1234-1234-1234-1234567890ab"],
  }),
  index: index.optional(),
  api_key: credential.optional().meta({
    description: "`datadog` needs it: an API key. Never shown.",
    examples: ["0123456789abcdef0123456789abcdef"],
  }),
  endpoint: targetUrl.optional().meta({
    description:
      "`s3` needs it: the address of the store, to which `/<bucket>/<key>` is added. The rules of `url` apply.",
    examples: ["https://s3.eu-central-1.amazonaws.com"],
  }),
  bucket: bucket.optional(),
  region: region.optional(),
  prefix: prefix.optional(),
  access_key_id: accessKeyId.optional(),
  secret_access_key: credential.optional().meta({
    description: "`s3` needs it: the secret of the access key. Never shown.",
    examples: ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
  }),
};

const exampleStream = {
  type: "splunk_hec",
  format: "ocsf",
  url: "https://splunk.example.com:8443",
  token: "12345678-1234-1234-1234-1234567890ab",
  index: "security",
} as const;

export const newStreamBody = z.strictObject({
  stream: z
    .strictObject({
      type,
      ...wantedFields,
      from: z
        .int()
        .min(0)
        .optional()
        .meta({
          description:
            "The leaf index of the first event to send. Without it, those that are filed from now on.",
          examples: [0],
        }),
    })
    .meta({ examples: [{ ...exampleStream, from: 0 }] }),
});

export const streamPatchBody = z.strictObject({
  stream: z
    .strictObject({ ...wantedFields, status: newStatus.optional() })
    .meta({ examples: [{ index: "audit", status: "enabled" }] }),
});

/** The part of the configuration that only some types have. */
const shownFields = {
  url: shownUrl.exactOptional(),
  header_names: z
    .array(z.string())
    .exactOptional()
    .meta({ description: "`http`: the names of its headers.", examples: [["Authorization"]] }),
  index: index.exactOptional(),
  endpoint: shownEndpoint.exactOptional(),
  bucket: bucket.exactOptional(),
  region: region.exactOptional(),
  prefix: prefix.exactOptional(),
  access_key_id: accessKeyId.exactOptional(),
};

const { disabled_reason: _, ...followed } = destinationFields;

export const streamSchema = z
  .object({ type, format, ...shownFields, ...followed })
  .meta({ id: "Stream" });

const storedFields = z.object({ type, format, ...shownFields });

export function showStream({
  destination,
  statistics,
}: DescribedDestination): z.input<typeof streamSchema> {
  const { disabled_reason, ...shown } = showDestination(destination, statistics);
  return { ...storedFields.parse(JSON.parse(destination.configuration)), ...shown };
}

export const streamAttempt = z
  .object({
    event_id: id,
    leaf_index: z
      .int()
      .min(0)
      .meta({ description: "The leaf index of the first event of the batch." }),
    events: z
      .int()
      .min(1)
      .meta({ description: "How many events the batch had.", examples: [37] }),
    ...attemptFields,
    next_at: instant.nullable().meta({
      description: "When the batch is sent again; null after a success.",
    }),
  })
  .meta({ id: "StreamAttempt" });

export function showStreamAttempt(attempt: ListedAttempt): z.input<typeof streamAttempt> {
  const { eventId, leafIndex, events, nextAt } = attempt;
  return {
    event_id: eventId,
    leaf_index: leafIndex,
    events,
    ...showAttempt(attempt),
    next_at: toRfc3339OrNull(nextAt),
  };
}
