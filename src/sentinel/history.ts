/**
 * The sessions an identity is known by (pure). Assessed ones wait here to be confirmed; only what
 * was confirmed is learned from, only for half a year, and only the newest hundred.
 */
import { z } from "zod";
import { contextSchema } from "./context.ts";

export const verdicts = ["legitimate", "fraud"] as const;
/** What became of a session: a code was verified with it, or the tenant told. */
export type Verdict = (typeof verdicts)[number];

export const knownSessionSchema = z.object({
  /** Id of its assessment. */
  id: z.string(),
  /** When it was assessed, Unix ms. */
  at: z.int(),
  /** Null as long as nobody confirmed it. */
  verdict: z.enum(verdicts).nullable(),
  context: contextSchema,
});
export type KnownSession = Readonly<z.infer<typeof knownSessionSchema>>;

/** In the order of time. */
export type History = readonly KnownSession[];

const dayMs = 24 * 60 * 60 * 1000;
/** Six months: people move, and what they were is nobody's business any more. */
export const maxSessionAgeMs = 183 * dayMs;
/** A login that takes longer than a day is another login. */
export const maxUnconfirmedAgeMs = dayMs;
const maxUnconfirmed = 50;
/** Confirmed sessions an identity is known by, the newest. */
export const maxSessions: Readonly<Record<Verdict, number>> = { legitimate: 100, fraud: 20 };

function selectNewest(
  history: History,
  verdict: Verdict | null,
  since: number,
  most: number,
): History {
  return history.filter((known) => known.verdict === verdict && known.at > since).slice(-most);
}

/** What is worth keeping at that time, within its bounds. */
export function pruneHistory(history: History, now: number): History {
  return [
    ...selectNewest(history, "legitimate", now - maxSessionAgeMs, maxSessions.legitimate),
    ...selectNewest(history, "fraud", now - maxSessionAgeMs, maxSessions.fraud),
    ...selectNewest(history, null, now - maxUnconfirmedAgeMs, maxUnconfirmed),
  ].toSorted((left, right) => left.at - right.at);
}

/** The history with this session in it, in the place of what was known under its id. */
export function addSession(history: History, session: KnownSession, now: number): History {
  const others = history.filter(({ id }) => id !== session.id);
  return pruneHistory(
    [...others, session].toSorted((left, right) => left.at - right.at),
    now,
  );
}

/** The confirmed sessions up to that time. */
export function selectByVerdict(history: History, verdict: Verdict, now: number): History {
  return history.filter(
    (known) => known.verdict === verdict && known.at > now - maxSessionAgeMs && known.at <= now,
  );
}
