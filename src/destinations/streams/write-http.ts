/** A receiver that takes NDJSON: one event per line. */

import { formatEvent } from "./format-event.ts";
import { gzip } from "./gzip.ts";
import type { OpenStream, TargetOf } from "./stream.ts";
import type { BatchWriter } from "./writer.ts";

export function createHttpWriter(
  stream: OpenStream,
  { url, headers }: TargetOf<"http">,
): BatchWriter {
  return {
    writeEvent: (event) => `${JSON.stringify(formatEvent(stream, event))}\n`,
    createRequest: async (entries) => ({
      url,
      headers: {
        ...headers,
        "content-type": "application/x-ndjson",
        "content-encoding": "gzip",
      },
      body: await gzip(entries.join("")),
    }),
  };
}
