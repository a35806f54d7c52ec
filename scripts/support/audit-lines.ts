/** Parses an exported audit trail line by line, and computes the leaf hash of each event. */
import { z } from "zod";
import type { AuditDetails } from "../../src/audit/event.ts";
import { encodeLeaf } from "../../src/audit/leaf.ts";
import { hashLeaf } from "../../src/audit/tree/merkle.ts";

/** Longer than any event; a longer line is malformed. */
const maxLineBytes = 1_000_000;
const newline = 0x0a;

function isDetails(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((member) => member === null || typeof member !== "object");
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const exportedEvent = z.strictObject({
  id: z.string(),
  at: z.string(),
  actor: z.strictObject({
    type: z.string(),
    id: z.string().nullable(),
    // Exports of older builds lack these two.
    name: z.string().nullable().exactOptional(),
    acting_for: z.string().nullable().exactOptional(),
  }),
  action: z.string(),
  target: z.strictObject({
    type: z.string(),
    id: z.string(),
    external_id: z.string().nullable(),
  }),
  outcome: z.string(),
  reason: z.string().nullable(),
  request_id: z.string().nullable(),
  // z.record would skip a member named __proto__.
  details: z.custom<AuditDetails>(isDetails, "must be an object of plain values"),
  leaf_index: z.int().min(0),
  personal: z
    .strictObject({
      external_id: z.string().exactOptional(),
      address: z.string().exactOptional(),
      agent: z.string().exactOptional(),
      acting_for: z.string().exactOptional(),
      nonce: z.string(),
    })
    .nullable(),
  personal_digest: hash.nullable(),
  erased: z.boolean(),
  leaf_hash: hash.nullable(),
});

/** The last line of an export that was cut off. */
const errorBody = z.strictObject({ error: z.string(), code: z.string(), request_id: z.string() });

export type ExportedEvent = z.infer<typeof exportedEvent>;

export interface ExportLine {
  readonly event: ExportedEvent;
  /** Computed from the event as the export shows it. */
  readonly leafHash: Uint8Array;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseLine(bytes: Uint8Array): ExportLine | string {
  try {
    const text = decoder.decode(bytes);
    const value: unknown = JSON.parse(text);
    // Parsers disagree about duplicate names and unusual numbers, so only the canonical text is accepted.
    if (JSON.stringify(value) !== text) return "is not written as the service writes it";
    const cut = errorBody.safeParse(value);
    if (cut.success) {
      return `says that the export was cut off (${cut.data.code}); delete the line, and request the rest`;
    }
    const event = exportedEvent.parse(value);
    const { id, at, action, outcome, reason, request_id, details } = event;
    const actor = { type: event.actor.type, id: event.actor.id };
    const target = { type: event.target.type, id: event.target.id };
    const { personal_digest } = event;
    const leaf = { id, at, actor, action, target, outcome, reason, request_id, details };
    return { event, leafHash: hashLeaf(encodeLeaf({ ...leaf, personal_digest })) };
  } catch (error) {
    if (!(error instanceof z.ZodError)) return "is not JSON, or is cut off";
    const issues = error.issues.map(({ path, message }) => `${path.join(".")} ${message}`.trim());
    return `is not an exported event: ${issues.join("; ")}`;
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
