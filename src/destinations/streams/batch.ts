/** The batches of a stream: what is sent in one request. */
import type { ShownEvent } from "../../audit/show-event.ts";
import { encodeUtf8 } from "../../crypto/bytes.ts";
import type { LogEvent } from "../request/log-event.ts";
import type { OpenStream } from "./stream.ts";
import { createDatadogWriter } from "./write-datadog.ts";
import { createHttpWriter } from "./write-http.ts";
import { createS3Writer } from "./write-s3.ts";
import { createSplunkWriter } from "./write-splunk-hec.ts";
import type { BatchWriter } from "./writer.ts";

export const maxBatchEvents = 500;
/** Of the entries, before they are compressed. */
export const maxBatchBytes = 1024 * 1024;

export function createWriter(stream: OpenStream): BatchWriter {
  const { target } = stream;
  switch (target.type) {
    case "http":
      return createHttpWriter(stream, target);
    case "splunk_hec":
      return createSplunkWriter(stream, target);
    case "datadog":
      return createDatadogWriter(stream, target);
    case "s3":
      return createS3Writer(stream, target);
  }
}

export interface Entry {
  readonly leafIndex: number;
  readonly event: ShownEvent;
  readonly text: string;
}

/**
 * Takes the first events that fit into a batch, and at least one.
 * @param events in the order of the log
 */
export function takeBatch(writer: BatchWriter, events: readonly LogEvent[]): Entry[] {
  const entries: Entry[] = [];
  let bytes = 0;
  for (const { leafIndex, event } of events.slice(0, maxBatchEvents)) {
    const text = writer.writeEvent(event);
    bytes += encodeUtf8(text).length;
    if (entries.length > 0 && bytes > maxBatchBytes) break;
    entries.push({ leafIndex, event, text });
  }
  return entries;
}
