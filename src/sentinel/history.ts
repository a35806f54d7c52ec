/**
 * The history of one identity: the sessions that a new one is compared with (pure). An assessed session waits
 * here for its verdict. Only confirmed sessions are learned from: the newest hundred, for half a year.
 */
import { z } from "zod";
import { contextSchema } from "./context.ts";
import { recommendations } from "./score.ts";

export const verdicts = ["legitimate", "fraud"] as const;
/** The outcome of a session: a code was verified with it, or the tenant sent feedback. */
export type Verdict = (typeof verdicts)[number];

export const knownSessionSchema = z.object({
  /** Id of its assessment. */
  id: z.string(),
  /** When it was assessed, Unix ms. */
  at: z.int(),
  /** Null until a verdict arrives. */
  verdict: z.enum(verdicts).nullable(),
  context: contextSchema,
  /** What the assessment answered. Absent in sessions that an older build stored. */
  risk: z
    .object({ score: z.number(), recommendation: z.enum(recommendations) })
    .readonly()
    .optional(),
  /** The known device that the session came from. */
  deviceId: z.string().exactOptional(),
});
export type KnownSession = Readonly<z.infer<typeof knownSessionSchema>>;

/** Ordered by time, the oldest first. */
export type History = readonly KnownSession[];

const dayMs = 24 * 60 * 60 * 1000;
/** Half a year: people change their habits, and old data about them must not stay. */
export const maxSessionAgeMs = 183 * dayMs;
/** A session that has no verdict after a day is not confirmed any more: a later code belongs to another login. */
export const maxUnconfirmedAgeMs = dayMs;
const maxUnconfirmed = 50;
/** How many of the newest sessions with each verdict are kept. */
export const maxSessions: Readonly<Record<Verdict, number>> = { legitimate: 100, fraud: 20 };

function selectNewest(
  history: History,
  verdict: Verdict | null,
  since: number,
  max: number,
): History {
  return history.filter((known) => known.verdict === verdict && known.at > since).slice(-max);
}

/** The history without the sessions that exceed a bound at that time. */
function pruneHistory(history: History, now: number): History {
  return [
    ...selectNewest(history, "legitimate", now - maxSessionAgeMs, maxSessions.legitimate),
    ...selectNewest(history, "fraud", now - maxSessionAgeMs, maxSessions.fraud),
    ...selectNewest(history, null, now - maxUnconfirmedAgeMs, maxUnconfirmed),
  ].toSorted((left, right) => left.at - right.at);
}

/** The history with this session, which replaces the one of the same id. */
export function addSession(history: History, session: KnownSession, now: number): History {
  const others = history.filter(({ id }) => id !== session.id);
  return pruneHistory(
    [...others, session].toSorted((left, right) => left.at - right.at),
    now,
  );
}

/**
 * The history as a session of this build is compared with it. Older builds stored the hash of a whole IPv6 address: a
 * session at that address counts as one in its /64, until it is too old to count.
 * @param former the hash that older builds had for the address; undefined for an IPv4 address
 * @param address the hash that this build has
 */
export function adoptFormerAddress(
  history: History,
  former: string | undefined,
  address: string | null,
): History {
  if (former === undefined) return history;
  return history.map((known) =>
    known.context.address === former ? { ...known, context: { ...known.context, address } } : known,
  );
}

/** The sessions with this verdict, up to that time. */
export function selectByVerdict(history: History, verdict: Verdict, now: number): History {
  return history.filter(
    (known) => known.verdict === verdict && known.at > now - maxSessionAgeMs && known.at <= now,
  );
}
