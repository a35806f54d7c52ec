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
import { type Kinds, mapKinds } from "./kinds.ts";
import { reasonNames } from "./reason.ts";
import { attackerKinds } from "./weights.ts";

const thresholdsSchema = z.object({
  challengeAt: z.number().optional(),
  denyAt: z.number().optional(),
});

const policySchema = z.object({
  challengeAt: z.number(),
  denyAt: z.number(),
  signalsOff: z.array(z.string()).readonly(),
  kinds: z.object(mapKinds(() => thresholdsSchema.optional())).optional(),
});

export const contentSchema = z.object({
  evidence: sessionEvidenceSchema,
  reasons: z.array(z.object({ signal: z.enum(reasonNames), contribution: z.number() })).readonly(),
  degraded: z.array(z.enum(dataSources)).readonly(),
  policy: policySchema,
  /**
   * The probability of each kind of attacker in ten-thousandths, in the order of `attackerKinds`: a whole number takes
   * a third of the bytes of a fraction. What they leave is the probability of the real user.
   */
  kinds: z.array(z.int().min(0)).readonly().optional(),
});
type CompactContent = Readonly<z.infer<typeof contentSchema>>;
export type StoredContent = Omit<CompactContent, "kinds"> & { readonly kinds?: Kinds | undefined };

/** Begins the text. Raise it if the schemas change otherwise than by appended optional fields. */
const formVersion = "1.";

const partsPerOne = 10_000;

function toParts(kinds: Kinds): readonly number[] {
  return attackerKinds.map((kind) => Math.round(kinds[kind] * partsPerOne));
}

function fromParts(parts: readonly number[]): Kinds {
  const real = parts.reduce((left, part) => left - part, partsPerOne);
  const attackers = mapKinds((kind) => (parts[attackerKinds.indexOf(kind)] ?? 0) / partsPerOne);
  return { ...attackers, real: real / partsPerOne };
}

/** @throws an error if the content does not fit the schemas of this build */
export function formatContent({ kinds, ...content }: StoredContent): string {
  const compact = kinds === undefined ? content : { ...content, kinds: toParts(kinds) };
  return `${formVersion}${base64urlnopad.encode(encodeCbor(toCompact(contentSchema, compact)))}`;
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
    const content = contentSchema.safeParse(fromCompact(contentSchema, stored)).data;
    if (content === undefined) return undefined;
    const { kinds, ...others } = content;
    return kinds === undefined ? others : { ...others, kinds: fromParts(kinds) };
  } catch {
    return undefined;
  }
}

/** Reads the evidence in either form, for the caller to validate; null for a damaged text. */
export function readStoredEvidence(text: string): unknown {
  return parseContent(text)?.evidence ?? parseJson(text);
}
