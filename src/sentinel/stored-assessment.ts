/**
 * The form in which D1 keeps what an assessment was computed from (pure): evidence, reasons, degraded sources and
 * policy without names (compact.ts) as CBOR in base64url. As JSON it would be four times as long, and a row of
 * more than 1,002 bytes takes a page of 4 KB for itself, because the table has no row ids
 * (https://www.sqlite.org/fileformat2.html#b_tree_pages).
 *
 * The form is lossless, so the digest of the evidence fits what is read. A reason is kept without its sentence,
 * which follows from the evidence. Older builds stored the evidence alone, as a JSON object.
 */
import { base64urlnopad } from "@scure/base";
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../crypto/cbor.ts";
import { fromCompact, toCompact } from "./compact.ts";
import { dataSources, sessionEvidenceSchema } from "./evidence.ts";
import { reasonNames } from "./reason.ts";

const policySchema = z.object({
  challengeAt: z.number(),
  denyAt: z.number(),
  signalsOff: z.array(z.string()).readonly(),
});

const contentSchema = z.object({
  evidence: sessionEvidenceSchema,
  reasons: z.array(z.object({ signal: z.enum(reasonNames), contribution: z.number() })).readonly(),
  degraded: z.array(z.enum(dataSources)).readonly(),
  policy: policySchema,
});
export type StoredContent = Readonly<z.infer<typeof contentSchema>>;

/** Begins the text. Raise it if the schemas change otherwise than by appended optional fields. */
const formVersion = "1.";

/** @throws an error if the content does not fit the schemas of this build */
export function formatContent(content: StoredContent): string {
  return `${formVersion}${base64urlnopad.encode(encodeCbor(toCompact(contentSchema, content)))}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Reads the compact form; undefined for the form of older builds, and for a damaged text. */
export function parseContent(text: string): StoredContent | undefined {
  if (!text.startsWith(formVersion)) return undefined;
  try {
    const stored = decodeCbor(base64urlnopad.decode(text.slice(formVersion.length)));
    return contentSchema.safeParse(fromCompact(contentSchema, stored)).data;
  } catch {
    return undefined;
  }
}

/** Reads the evidence in either form, for the caller to validate; null for a damaged text. */
export function readStoredEvidence(text: string): unknown {
  return parseContent(text)?.evidence ?? parseJson(text);
}
