/** The lines of an audit export. The service may hand them out in several answers. */
import type { Connection } from "./connection.ts";
import { createUnexpectedAnswer, type IdpError, parseErrorBody } from "./idp-error.ts";
import { parseJsonObject } from "./json.ts";
import type { RequestOptions } from "./options.ts";
import type { ExportQuery } from "./types.ts";

/** Splits a body into its lines, some at a time. The last one needs no end. */
async function* splitLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string[]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      const lines = rest.split("\n");
      rest = done ? "" : (lines.pop() ?? "");
      const whole = lines.filter((line) => line !== "");
      if (whole.length > 0) yield whole;
      if (done) return;
    }
  } finally {
    // Also when nobody reads on, so that the service ends the export.
    await reader.cancel().catch(() => {});
  }
}

function sequenceOf(metadata: unknown): unknown {
  return typeof metadata === "object" && metadata !== null && "sequence" in metadata
    ? metadata.sequence
    : undefined;
}

/** The leaf index is in another place in an event of OCSF. @throws IdpError of an export that was cut off */
function leafIndexOf(line: string): number {
  const { leaf_index, metadata } = parseJsonObject(line) ?? {};
  const leafIndex = leaf_index ?? sequenceOf(metadata);
  if (typeof leafIndex === "number") return leafIndex;
  throw parseErrorBody(line, 200) ?? createIncompleteError();
}

function createIncompleteError(): IdpError {
  return createUnexpectedAnswer(
    "The export ended before its last event; continue it with the leaf after the last one.",
  );
}

/**
 * Reads the lines of the events with `from` ≤ leaf index < `to`, some at a time. After an answer that ended early it
 * requests the rest.
 *
 * @throws IdpError if an answer was cut off; the lines before are valid
 */
export async function* readExport(
  connection: Connection,
  { from, to, ...format }: ExportQuery & { readonly from: number; readonly to: number },
  options: RequestOptions | undefined,
): AsyncGenerator<string[]> {
  let next = from;
  while (next < to) {
    const start = next;
    const { data: body } = await connection.api(options, true).GET("/v1/audit/export", {
      params: { query: { from: start, to, ...format } },
      parseAs: "stream",
    });
    if (!body) throw createIncompleteError();
    for await (const lines of splitLines(body)) {
      const events: string[] = [];
      try {
        for (const line of lines) {
          next = leafIndexOf(line) + 1;
          events.push(line);
        }
      } finally {
        // An error body follows valid lines.
        if (events.length > 0) yield events;
      }
    }
    if (next === start) throw createIncompleteError();
  }
}
