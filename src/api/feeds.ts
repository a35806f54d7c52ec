/** `/v1/sentinel/feeds`: which lists the network data is made of, and how old they are. */
import { z } from "zod";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { instant, rfc3339, rfc3339OrNull } from "../http/schemas.ts";
import { listFeeds } from "../sentinel/feeds/list-feeds.ts";
import { type FeedRecord, feedKinds } from "../sentinel/feeds/feed-record.ts";

const feed = z
  .object({
    name: z.string(),
    kind: z.enum(feedKinds).meta({
      description: "What its addresses are; asn and country are tables of geography.",
    }),
    source: z.string().meta({ description: "An address, or the name of an imported file." }),
    licence: z.string().nullable(),
    format: z.string().nullable(),
    fetched_at: instant.nullable().meta({
      description: "When it was fetched or confirmed last; null: it never could be.",
    }),
    changed_at: instant.nullable(),
    rows: z.int(),
    skipped_lines: z.int().meta({ description: "Lines that could not be read." }),
    last_error: z
      .object({ at: instant, reason: z.string() })
      .nullable()
      .meta({ description: "Why the last fetch was not taken; the list before stays in use." }),
  })
  .meta({ id: "Feed" });

/** 0 stands for never. */
function timeOrNull(time: number): string | null {
  return rfc3339OrNull(time === 0 ? null : time);
}

function showFeed(record: FeedRecord): z.input<typeof feed> {
  const { lastError } = record;
  return {
    name: record.name,
    kind: record.kind,
    source: record.source,
    licence: record.licence,
    format: record.format,
    fetched_at: timeOrNull(record.fetchedAt),
    changed_at: timeOrNull(record.changedAt),
    rows: record.rows,
    skipped_lines: record.skippedLines,
    last_error: lastError === null ? null : { at: rfc3339(lastError.at), reason: lastError.reason },
  };
}

export const feedRoutes = [
  route(
    {
      method: "get",
      path: "/v1/sentinel/feeds",
      name: "listFeeds",
      summary: "List the feeds that network reputation comes from",
      tag: "Sentinel",
      access: tenantWith("sentinel:read"),
      body: none,
      query: none,
      answers: {
        200: {
          description: "The feeds of the data set in force.",
          body: z.object({
            feeds: z.array(feed),
            built_at: instant.nullable().meta({ description: "Null: nothing was imported yet." }),
            version: z
              .int()
              .nullable()
              .meta({ description: "Of the data set: when it was put in force, Unix ms." }),
          }),
        },
      },
    },
    async ({ env }) => {
      const list = await listFeeds(env.IP_REPUTATION);
      const version = list === undefined || list.builtAt === 0 ? null : list.builtAt;
      return reply(200, {
        feeds: (list?.feeds ?? []).map(showFeed),
        built_at: rfc3339OrNull(version),
        version,
      });
    },
  ),
];
