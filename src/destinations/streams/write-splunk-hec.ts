/**
 * The HTTP Event Collector of Splunk.
 * https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector
 */

import { formatEvent } from "./format-event.ts";
import { gzip } from "./gzip.ts";
import type { OpenStream, TargetOf } from "./stream.ts";
import { type BatchWriter, joinPath, sourceName } from "./writer.ts";

export function createSplunkWriter(
  stream: OpenStream,
  { url, token, index, format }: TargetOf<"splunk_hec">,
): BatchWriter {
  const sourcetype = `${sourceName}:${format}`;
  return {
    writeEvent: (event) =>
      `${JSON.stringify({
        // Seconds, with milliseconds as a fraction.
        time: Date.parse(event.at) / 1_000,
        source: sourceName,
        sourcetype,
        ...(index === null ? {} : { index }),
        event: formatEvent(stream, event),
      })}\n`,
    createRequest: async (entries) => ({
      url: joinPath(url, "/services/collector/event"),
      headers: {
        authorization: `Splunk ${token}`,
        "content-type": "application/json",
        "content-encoding": "gzip",
      },
      body: await gzip(entries.join("")),
    }),
  };
}
