/** The surroundings of a refresh: publishers of lists, and the data that an import wrote to KV. */
import { env } from "cloudflare:workers";
import { catalogue } from "../../../src/sentinel/feeds/catalogue.ts";
import { putInForce } from "../../../src/sentinel/feeds/data-set.ts";
import {
  emptyRecordOf,
  type FeedList,
  type FeedRecord,
  feedListKey,
  listTimesOf,
  parseFeedList,
} from "../../../src/sentinel/feeds/feed-record.ts";
import { encodeFeedValue } from "../../../src/sentinel/feeds/feed-value.ts";
import { dataStoreOf } from "../../../src/sentinel/feeds/kv-store.ts";
import { type RefreshLimits, refreshFeeds } from "../../../src/sentinel/feeds/refresh.ts";
import { parseAddress, parseNetwork } from "../../../src/sentinel/network/address.ts";
import { buildShards, type Geography, noGeography } from "../../../src/sentinel/network/build.ts";
import {
  currentKey,
  encodeCurrent,
  listShards,
  openCurrent,
} from "../../../src/sentinel/network/current-data-set.ts";
import { createFeedParser } from "../../../src/sentinel/network/feed.ts";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import {
  encodeCountry,
  isFast,
  type NetworkKind,
} from "../../../src/sentinel/network/network-facts.ts";
import { buildThreatTable } from "../../../src/sentinel/network/threats.ts";

export const hour = 60 * 60 * 1000;
export const day = 24 * hour;
/** The current time in these tests, Unix ms. */
export const now = Date.UTC(2026, 7, 22, 12);

type Answer = string | Response | (() => Response | Promise<Response>);

export function addressOf(name: string): string {
  const feed = catalogue.find((candidate) => candidate.name === name);
  if (feed === undefined) throw new Error(`no feed ${name}`);
  return feed.address;
}

/** Publishes lists at the addresses of the catalogue; a text has an ETag. */
export class Publisher {
  /** The feed's name, or the address if no feed has it, and the ETag that was sent. */
  readonly requests: [string, string | null][] = [];
  private readonly answers = new Map<string, Answer>();

  publish(nameOrAddress: string, answer: Answer): this {
    const isAddress = nameOrAddress.includes("://");
    this.answers.set(isAddress ? nameOrAddress : addressOf(nameOrAddress), answer);
    return this;
  }

  readonly fetch = async (address: string, init: RequestInit): Promise<Response> => {
    const name = catalogue.find((feed) => feed.address === address)?.name ?? address;
    const etag = new Headers(init.headers).get("If-None-Match");
    this.requests.push([name, etag]);
    const answer = this.answers.get(address);
    if (answer === undefined) return new Response("404: Not Found", { status: 404 });
    if (answer instanceof Response) return answer;
    if (typeof answer !== "string") return await answer();
    const ownTag = `"${answer.length}-${answer.slice(0, 20).replaceAll("\n", "/")}"`;
    if (etag === ownTag) return new Response(null, { status: 304, headers: { ETag: ownTag } });
    return new Response(answer, { headers: { ETag: ownTag } });
  };

  /** Runs the refresh once. */
  async refresh(names: string, at: number, limits?: RefreshLimits): Promise<void> {
    const { IP_REPUTATION } = env;
    await refreshFeeds({ IP_REPUTATION, SENTINEL_FEEDS: names }, at, this.fetch, limits);
  }
}

interface ImportedFeed {
  readonly name: string;
  readonly kind: NetworkKind;
  readonly lines: readonly string[];
}

/** Geography that gives each network a network number and a country. */
export function geographyOf(...lines: readonly (readonly [string, number, string])[]): Geography {
  const asn: Geography["asn"] = { 4: [], 6: [] };
  const created = {
    asn: { 4: [...asn[4]], 6: [...asn[6]] },
    country: { 4: [...asn[4]], 6: [...asn[6]] },
  };
  for (const [text, number, country] of lines) {
    const network = parseNetwork(text);
    if (network === undefined) throw new Error(`not a network: ${text}`);
    const shift = network.family === 4 ? 0n : 64n;
    const range = { first: network.first >> shift, last: network.last >> shift };
    created.asn[network.family].push({ ...range, value: number });
    created.country[network.family].push({ ...range, value: encodeCountry(country) });
  }
  return created;
}

/** Writes the same values as an import. */
export async function importFeeds(
  feeds: readonly ImportedFeed[],
  at: number,
  geography: Geography = noGeography,
): Promise<void> {
  const parsed = feeds.map(({ name, kind, lines }) => {
    const parser = createFeedParser();
    parser.push(lines.join("\n"));
    return { name, kind, lines, ranges: parser.finish().ranges };
  });
  const shards = buildShards(parsed, geography);
  const feedValues = parsed.map(({ name, ranges }) => ({ name, ...encodeFeedValue(ranges) }));
  const records = parsed.map(
    ({ name, kind, lines }, index): FeedRecord => ({
      ...emptyRecordOf({ name, kind, source: `${name}.txt`, licence: null, format: null }),
      rows: lines.length,
      value: feedValues[index]?.digest ?? null,
      fetchedAt: at,
      changedAt: at,
    }),
  );
  const asn = { name: "asn", kind: "asn", source: "asn.csv", licence: null, format: null } as const;
  if (geography !== noGeography)
    for (const table of [asn, { ...asn, name: "country", kind: "country" } as const])
      records.push({ ...emptyRecordOf(table), fetchedAt: at, changedAt: at });
  const threatsAt = feeds.some(({ kind }) => isFast(kind)) ? at : 0;
  const current = encodeCurrent(
    { builtAt: at, threatsAt, lists: listTimesOf(records) },
    shards,
    buildThreatTable(parsed),
  );
  const list = { builtAt: at, feeds: records };
  const store = dataStoreOf(env.IP_REPUTATION);
  await putInForce(store, { shards, current, feedValues, list }, at, Infinity, () => {});
}

export async function emptyStore(): Promise<void> {
  const store = dataStoreOf(env.IP_REPUTATION);
  await store.remove([...(await store.list(""))]);
}

/** Looks up an address in an isolate without a cache. */
export async function lookUp(text: string, at: number) {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  const get = (key: string, options: { type: "arrayBuffer"; cacheTtl: number }) =>
    env.IP_REPUTATION.get(key, options);
  return await lookupNetwork({ get }, address, at);
}

export async function kindsOf(text: string, at: number): Promise<readonly NetworkKind[]> {
  const { facts, reason } = await lookUp(text, at);
  if (reason !== undefined) throw new Error(`the lookup of ${text} is degraded: ${reason}`);
  return facts?.kinds ?? [];
}

export async function readFeedList(): Promise<FeedList> {
  const text = await env.IP_REPUTATION.get(feedListKey);
  const list = text === null ? undefined : parseFeedList(text);
  if (list === undefined) throw new Error("no list of feeds is stored");
  return list;
}

export async function readFeedRecord(name: string): Promise<FeedRecord> {
  const record = (await readFeedList()).feeds.find((feed) => feed.name === name);
  if (record === undefined) throw new Error(`the list has no ${name}`);
  return record;
}

/** The data set in force: its times, and its shards' digests by family and number. */
export async function readInForce() {
  const bytes = await env.IP_REPUTATION.get(currentKey, "arrayBuffer");
  const current = bytes === null ? undefined : openCurrent(new Uint8Array(bytes));
  if (current === undefined) throw new Error("no data set is in force");
  const { builtAt, threatsAt } = current;
  const shards = new Map(
    listShards(current).map(({ family, number, digest }) => [`${family}/${number}`, digest]),
  );
  return { builtAt, threatsAt, shards };
}
