/**
 * The history of one identity: the sessions that a new one is compared with (pure). An assessed session waits
 * here for its verdict. A session is learned from if it was confirmed (the newest hundred, for half a year) or, with
 * less trust, if it was allowed and nobody reported it within a day (one a day, the newest twelve). The second
 * follows from the time of reading, so nothing is written when the day has passed.
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
/**
 * A session that has no verdict after a day is not confirmed by a later code, which belongs to another login. If it
 * was allowed, it is weakly confirmed from then on.
 */
export const maxUnconfirmedAgeMs = dayMs;
const maxUnconfirmed = 50;
/** They are spread over as many days, so that a flood of sessions cannot replace them. */
export const maxWeakSessions = 12;
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

/** Whether the session was allowed, and nobody said anything about it within a day. */
export function isWeaklyConfirmed({ verdict, risk, at }: KnownSession, now: number): boolean {
  return verdict === null && risk?.recommendation === "allow" && at <= now - maxUnconfirmedAgeMs;
}

/** The first session of each day. */
function selectOnePerDay(history: History): History {
  const dayOf = ({ at }: KnownSession) => Math.floor(at / dayMs);
  return history.filter((one, index) => {
    const before = history[index - 1];
    return before === undefined || dayOf(before) !== dayOf(one);
  });
}

function selectWeak(history: History, now: number): History {
  const weak = history.filter(
    (known) => known.at > now - maxSessionAgeMs && isWeaklyConfirmed(known, now),
  );
  return selectOnePerDay(weak).slice(-maxWeakSessions);
}

/** The history without the sessions that exceed a bound at that time. */
function pruneHistory(history: History, now: number): History {
  return [
    ...selectNewest(history, "legitimate", now - maxSessionAgeMs, maxSessions.legitimate),
    ...selectNewest(history, "fraud", now - maxSessionAgeMs, maxSessions.fraud),
    ...selectNewest(history, null, now - maxUnconfirmedAgeMs, maxUnconfirmed),
    ...selectWeak(history, now),
  ].toSorted((left, right) => left.at - right.at);
}

/** The history with these sessions, which replace those of the same ids. */
export function addSessions(history: History, sessions: History, now: number): History {
  const added = new Set(sessions.map(({ id }) => id));
  const others = history.filter(({ id }) => !added.has(id));
  return pruneHistory(
    [...others, ...sessions].toSorted((left, right) => left.at - right.at),
    now,
  );
}

export function addSession(history: History, session: KnownSession, now: number): History {
  return addSessions(history, [session], now);
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

/** The sessions that are learned from, up to that time: the confirmed ones and the weakly confirmed ones. */
export function selectLearned(history: History, now: number): History {
  return history.filter(
    (known) =>
      known.at > now - maxSessionAgeMs &&
      known.at <= now &&
      (known.verdict === "legitimate" || isWeaklyConfirmed(known, now)),
  );
}
