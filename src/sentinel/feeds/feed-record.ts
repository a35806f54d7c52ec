/**
 * What is kept of each feed: where it came from, and how its last fetch went. One list in KV says
 * which ranges of each feed the data set in force was made of.
 */
import { z } from "zod";
import { networkKinds } from "../network/network-facts.ts";
import { networkKeyPrefix } from "../network/shard.ts";

export const feedListKey = `${networkKeyPrefix}feeds`;

/** Kinds of network, and the two tables of geography. */
export const feedKinds = [...networkKinds, "asn", "country"] as const;

export const feedRecordSchema = z.object({
  name: z.string(),
  kind: z.enum(feedKinds),
  /** An address, or the name of a file without its folders: the rest is nobody's business. */
  source: z.string(),
  licence: z.string().nullable(),
  format: z.string().nullable(),
  /** Lines with an entry, and lines that could not be read. */
  rows: z.int().min(0),
  skippedLines: z.int().min(0),
  /** SHA-256 of the text, hex. */
  sha256: z.string(),
  /** Digest under which its ranges are kept (see value.ts); null: they are not, as of geography. */
  value: z.string().nullable(),
  etag: z.string().nullable(),
  /** Unix ms: when it was fetched last, and when it changed last; 0: it never was. */
  fetchedAt: z.int(),
  changedAt: z.int(),
  lastError: z.object({ at: z.int(), reason: z.string() }).nullable(),
});
export type FeedRecord = Readonly<z.infer<typeof feedRecordSchema>>;

const feedListSchema = z.object({
  /** When the data set was put in force, Unix ms; it is also the version of it. */
  builtAt: z.int(),
  feeds: z.array(feedRecordSchema),
});
export type FeedList = Readonly<z.infer<typeof feedListSchema>>;

export function serializeFeedList(list: FeedList): string {
  return JSON.stringify(list);
}

/** Undefined where the text is no list. Never throws. */
export function parseFeedList(text: string): FeedList | undefined {
  try {
    return feedListSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A feed of which nothing is in force; listed so that the error of its first fetch is seen. */
export function emptyRecordOf(
  feed: Pick<FeedRecord, "name" | "kind" | "source" | "licence" | "format">,
): FeedRecord {
  return {
    name: feed.name,
    kind: feed.kind,
    source: feed.source,
    licence: feed.licence,
    format: feed.format,
    rows: 0,
    skippedLines: 0,
    sha256: "",
    value: null,
    etag: null,
    fetchedAt: 0,
    changedAt: 0,
    lastError: null,
  };
}

/** @param now Unix ms */
export function addError(record: FeedRecord, reason: string, now: number): FeedRecord {
  return { ...record, lastError: { at: now, reason } };
}

/** The records, with those of the same name replaced and new ones added. */
export function mergeRecords(
  records: readonly FeedRecord[],
  newer: readonly FeedRecord[],
): FeedRecord[] {
  return [...new Map([...records, ...newer].map((record) => [record.name, record])).values()];
}
