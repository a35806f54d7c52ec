/** Parses an exported audit trail line by line, and computes the leaf hash of each event. */
import { type ExportedEvent, exportedEvent, hashEvent } from "./event.ts";
import { describeFault, exactObject, hasShape, text } from "./shape.ts";

/** Longer than any event; a longer line is malformed. */
const maxLineBytes = 1_000_000;
const newline = 0x0a;

/** The last line of an export that was cut off. */
interface ErrorBody {
  readonly error: string;
  readonly code: string;
  readonly request_id: string;
}

export interface ExportLine {
  readonly event: ExportedEvent;
  /** Computed from the event as the export shows it. */
  readonly leafHash: Uint8Array;
}

const errorBody = exactObject({ error: text, code: text, request_id: text });

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseLine(bytes: Uint8Array): ExportLine | string {
  try {
    const written = decoder.decode(bytes);
    const value: unknown = JSON.parse(written);
    // Parsers disagree about duplicate names and unusual numbers, so only the canonical text is accepted.
    if (JSON.stringify(value) !== written) return "is not written as the service writes it";
    if (hasShape<ExportedEvent>(value, exportedEvent)) {
      return { event: value, leafHash: hashEvent(value) };
    }
    if (hasShape<ErrorBody>(value, errorBody)) {
      return `says that the export was cut off (${value.code}); delete the line, and request the rest`;
    }
    return `is not an exported event: ${describeFault(exportedEvent(value) ?? "")}`;
  } catch {
    return "is not JSON, or is cut off";
  }
}

function concatenate(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** Parses the lines; a string states the problem of a malformed one. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ExportLine | string> {
  let rest = new Uint8Array();
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      yield parseLine(concatenate(rest, chunk.subarray(start, end)));
      rest = new Uint8Array();
      start = end + 1;
    }
    rest = concatenate(rest, chunk.subarray(start));
    if (rest.length > maxLineBytes) break;
  }
  if (rest.length > 0) yield parseLine(rest);
}
