/**
 * The log intake of Datadog: at most 1,000 entries and 5 MB in a request, which no batch reaches.
 * https://docs.datadoghq.com/api/latest/logs/#send-logs
 */

import { formatEvent } from "./format-event.ts";
import { gzip } from "./gzip.ts";
import type { OpenStream, TargetOf } from "./stream.ts";
import { type BatchWriter, joinPath, sourceName } from "./writer.ts";

export function createDatadogWriter(
  stream: OpenStream,
  { url, api_key: apiKey, format }: TargetOf<"datadog">,
): BatchWriter {
  return {
    writeEvent: (event) =>
      JSON.stringify({
        ddsource: sourceName,
        service: sourceName,
        ddtags: `tenant:${stream.tenantId}`,
        timestamp: Date.parse(event.at),
        message: `${event.action}: ${event.outcome}`,
        // Below a name of its own, because Datadog gives `status`, `message` and others a meaning at the top.
        [format === "ocsf" ? "ocsf" : "audit"]: formatEvent(stream, event),
      }),
    createRequest: async (entries) => ({
      url: joinPath(url, "/api/v2/logs"),
      headers: {
        "dd-api-key": apiKey,
        "content-type": "application/json",
        "content-encoding": "gzip",
      },
      body: await gzip(`[${entries.join(",")}]`),
    }),
  };
}
