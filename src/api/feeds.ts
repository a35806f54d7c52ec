/** `/v1/sentinel/feeds` and `/v1/feeds`: the feeds of the data set, and their age. */
import { z } from "zod";
import { operator, requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { instant, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import {
  coverageByKind,
  type FeedRecord,
  feedKinds,
  findDegradedKinds,
} from "../sentinel/feeds/feed-record.ts";
import { listFeeds } from "../sentinel/feeds/list-feeds.ts";
import { dataKinds, networkKinds } from "../sentinel/network/network-facts.ts";

const feedSchema = z
  .object({
    name: z.string().meta({ examples: ["tor_exits"] }),
    kind: z.enum(feedKinds).meta({
      description: "The kind of the feed's addresses. `asn` and `country` are geography tables.",
    }),
    source: z.string().meta({
      description: "The URL of the feed, or the name of an imported file.",
      examples: ["https://feeds.example/tor.txt"],
    }),
    licence: z
      .string()
      .nullable()
      .meta({ examples: ["CC BY 4.0"] }),
    format: z
      .string()
      .nullable()
      .meta({ examples: ["addresses"] }),
    fetched_at: instant.nullable().meta({
      description: "When the feed was last fetched or confirmed; null if it never was.",
    }),
    changed_at: instant.nullable(),
    rows: z.int(),
    ipv4_addresses: z
      .int()
      .nullable()
      .meta({
        description: "Number of IPv4 addresses that the feed covers; null if it was not measured.",
        examples: [1289],
      }),
    ipv6_networks: z
      .int()
      .nullable()
      .meta({
        description:
          "Number of IPv6 networks of 64 bits that the feed covers; null if it was not measured.",
        examples: [512],
      }),
    skipped_lines: z.int().meta({ description: "Number of lines that could not be parsed." }),
    last_error: z
      .object({ at: instant, reason: z.string().meta({ examples: ["The list is empty."] }) })
      .nullable()
      .meta({
        description:
          "Why the last fetch or import was rejected. The previous list, if any, remains in use.",
      }),
  })
  .meta({ id: "Feed" });

/** 0 means never. */
function toTimeOrNull(time: number): string | null {
  return toRfc3339OrNull(time === 0 ? null : time);
}

function showFeed(record: FeedRecord): z.input<typeof feedSchema> {
  const { lastError } = record;
  return {
    name: record.name,
    kind: record.kind,
    source: record.source,
    licence: record.licence,
    format: record.format,
    fetched_at: toTimeOrNull(record.fetchedAt),
    changed_at: toTimeOrNull(record.changedAt),
    rows: record.rows,
    ipv4_addresses: record.coverage?.addresses ?? null,
    ipv6_networks: record.coverage?.networks ?? null,
    skipped_lines: record.skippedLines,
    last_error:
      lastError === null ? null : { at: toRfc3339(lastError.at), reason: lastError.reason },
  };
}

const coverageSchema = z.object({
  kind: z.enum(networkKinds),
  lists: z
    .int()
    .min(0)
    .meta({ description: "Lists in use.", examples: [2] }),
  ipv4_addresses: z
    .int()
    .min(0)
    .nullable()
    .meta({ examples: [10433280] }),
  ipv6_networks: z
    .int()
    .min(0)
    .nullable()
    .meta({ examples: [4096] }),
});

function showCoverage(records: readonly FeedRecord[]): z.input<typeof coverageSchema>[] {
  return coverageByKind(records).map(({ addresses, networks, ...kind }) => ({
    ...kind,
    ipv4_addresses: addresses,
    ipv6_networks: networks,
  }));
}

const feedListResponses = {
  200: {
    description: "The feeds of the current data set.",
    body: z.object({
      feeds: z.array(feedSchema),
      built_at: instant
        .nullable()
        .meta({ description: "When the data set was built; null before the first import." }),
      version: z
        .int()
        .nullable()
        .meta({ description: "The version of the data set: when it was built, Unix ms." }),
      coverage: z.array(coverageSchema).meta({
        description:
          "What the lists of each kind cover together. An address on two lists counts twice. Null if one of the lists was not measured.",
      }),
      degraded: z.array(z.enum(dataKinds)).meta({
        description:
          "The kinds of data that the data set does not have, or whose lists are all too old. Every assessment names them in its `degraded`.",
        examples: [["geography", "proxy"]],
      }),
    }),
  },
};

/** @param now Unix ms */
async function showFeeds(env: Env, now: number) {
  const list = await listFeeds(env.IP_REPUTATION);
  const version = list === undefined || list.builtAt === 0 ? null : list.builtAt;
  return {
    feeds: (list?.feeds ?? []).map(showFeed),
    built_at: toRfc3339OrNull(version),
    version,
    coverage: showCoverage(list?.feeds ?? []),
    degraded: [...findDegradedKinds(list?.feeds ?? [], now)],
  };
}

export const feedRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/sentinel/feeds",
      name: "listFeeds",
      summary: "List the feeds of network reputation",
      description: "Lists the address lists that scores use, with the age of each.",
      tag: "Sentinel",
      access: requirePermission("sentinel:read"),
      body: none,
      query: none,
      responses: feedListResponses,
    },
    async ({ env, arrivedAt }) => respond(200, await showFeeds(env, arrivedAt)),
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/feeds",
      name: "listServiceFeeds",
      summary: "List the feeds, as the operator",
      description: "Lists the address lists that the scores of all tenants use, with their age.",
      tag: "Sentinel",
      access: operator,
      body: none,
      query: none,
      responses: feedListResponses,
    },
    async ({ env, arrivedAt }) => respond(200, await showFeeds(env, arrivedAt)),
  ),
];
