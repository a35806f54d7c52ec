/**
 * The record of each feed: its source, its content's digest and the result of its last fetch. One list in KV
 * has the records of all feeds; it names the ranges that the data set in force was built from.
 */
import { z } from "zod";
import { judgeAges, nameKinds } from "../network/data-age.ts";
import {
  type DataKind,
  type ListTimes,
  type NetworkKind,
  networkKinds,
} from "../network/network-facts.ts";
import { networkKeyPrefix } from "../network/shard.ts";

export const feedListKey = `${networkKeyPrefix}feeds`;

/** The kinds of network, and the two tables of geography. */
export const feedKinds = [...networkKinds, "asn", "country"] as const;

export const feedRecordSchema = z.object({
  name: z.string(),
  kind: z.enum(feedKinds),
  /** A URL, or the name of an imported file without its folders, which could identify a person. */
  source: z.string(),
  licence: z.string().nullable(),
  format: z.string().nullable(),
  /** Lines with an entry, and lines that could not be read. */
  rows: z.int().min(0),
  skippedLines: z.int().min(0),
  /** What the list covers; undefined: not measured, as of geography, and of what older builds stored. */
  coverage: z.object({ addresses: z.int().min(0), networks: z.int().min(0) }).optional(),
  /** SHA-256 of the text, hex. */
  sha256: z.string(),
  /** The digest in the key of its ranges (see feed-value.ts); null: they are not stored, as for geography. */
  value: z.string().nullable(),
  etag: z.string().nullable(),
  /** When it was last fetched, and when it last changed, Unix ms; 0: never. */
  fetchedAt: z.int(),
  changedAt: z.int(),
  lastError: z.object({ at: z.int(), reason: z.string() }).nullable(),
});
export type FeedRecord = Readonly<z.infer<typeof feedRecordSchema>>;

const feedListSchema = z.object({
  /** When the data set was put in force, Unix ms. It also serves as the version of the list. */
  builtAt: z.int(),
  feeds: z.array(feedRecordSchema),
});
export type FeedList = Readonly<z.infer<typeof feedListSchema>>;

/** What the lists of a kind cover. */
export interface KindCoverage {
  readonly kind: NetworkKind;
  /** Lists in force. */
  readonly lists: number;
  /** Sums: an address on two lists counts twice. Null: one of the lists was not measured. */
  readonly addresses: number | null;
  readonly networks: number | null;
}

function sumOrNull(values: readonly (number | undefined)[]): number | null {
  return values.reduce<number | null>(
    (sum, value) => (sum === null || value === undefined ? null : sum + value),
    0,
  );
}

/** The coverage of each kind of network, also of those without a list. */
export function coverageByKind(records: readonly FeedRecord[]): KindCoverage[] {
  return networkKinds.map((kind) => {
    const lists = records.filter((record) => record.kind === kind && record.fetchedAt > 0);
    return {
      kind,
      lists: lists.length,
      addresses: sumOrNull(lists.map(({ coverage }) => coverage?.addresses)),
      networks: sumOrNull(lists.map(({ coverage }) => coverage?.networks)),
    };
  });
}

/** When the newest list of each kind was fetched. A list that is not in force yet has no part in it. */
export function listTimesOf(records: readonly FeedRecord[]): ListTimes {
  const times: Partial<Record<FeedRecord["kind"], number>> = {};
  for (const { kind, fetchedAt } of records) {
    if (fetchedAt > 0) times[kind] = Math.max(fetchedAt, times[kind] ?? 0);
  }
  return times;
}

/** The kinds of data that no list in force has, or whose lists are all too old. @param now real time, Unix ms */
export function findDegradedKinds(
  records: readonly FeedRecord[],
  now: number,
): readonly DataKind[] {
  const times = listTimesOf(records);
  const ages = judgeAges((kind) => times[kind] ?? 0, now);
  return nameKinds([...ages].flatMap(([kind, age]) => (age === "fresh" ? [] : [kind])));
}

export function serializeFeedList(list: FeedList): string {
  return JSON.stringify(list);
}

/** Undefined if the text is not a list of feeds. Never throws. */
export function parseFeedList(text: string): FeedList | undefined {
  try {
    return feedListSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The record of a feed that is not in force. It is listed to show the error of its first fetch. */
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

/** The record with an error of now. @param now Unix ms */
export function addError(record: FeedRecord, reason: string, now: number): FeedRecord {
  return { ...record, lastError: { at: now, reason } };
}

/** The records and the newer ones, which replace those of the same name. */
export function mergeRecords(
  records: readonly FeedRecord[],
  newer: readonly FeedRecord[],
): FeedRecord[] {
  return [...new Map([...records, ...newer].map((record) => [record.name, record])).values()];
}
