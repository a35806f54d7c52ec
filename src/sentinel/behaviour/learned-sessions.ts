/**
 * The sessions that a new one is compared with, and how much each of them says (pure). What a session says fades
 * with its age, and a session that nobody proved says less. A session that had to be challenged is on probation for
 * three days: what it brought was suspicious, and one code may have been phished.
 */
import { type Context, familyOf, type Level } from "../context.ts";
import type { History, KnownSession } from "../history.ts";
import { bucketOf } from "../population/population.ts";
import { otherPlatformShare, probationMs, weakShare } from "../weights.ts";
import type { Course } from "./newness.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** After this time a session counts half: people change their networks and devices. */
const halfLifeMs = 60 * dayMs;
/** The same for what is usual at present. */
const presentHalfLifeMs = 10 * dayMs;

/** What was known when a session began: it decides how likely the session was to be new. */
export interface PlacedCourse extends Course {
  /** Of the population's counts. */
  readonly bucket: number;
}

export interface LearnedSession {
  readonly context: Context;
  readonly at: number;
  /** The browser without its version. */
  readonly family: string | null;
  readonly weight: number;
  readonly presentWeight: number;
  /** Confirmed by a code or by the tenant. */
  readonly isStrong: boolean;
  readonly isOnProbation: boolean;
  /** How much its changes say about this session's platform: a phone roams, and a desktop does not. */
  readonly likeness: number;
  readonly networkCourse: PlacedCourse;
  readonly agentCourse: PlacedCourse;
}

/** The value of a learned session; null: not known. Undefined: its build did not record it. */
export function readLearned(
  { context, family }: LearnedSession,
  level: Level,
): string | number | null | undefined {
  return level === "family" ? family : context[level];
}

export interface LearnedHistory {
  readonly sessions: readonly LearnedSession[];
  /** What is known now, by platform and in all. */
  readonly networkCourse: PlacedCourse;
  readonly agentCourse: PlacedCourse;
}

/** Whether a session that had to be challenged is so young that one code does not prove it. */
export function isOnProbation({ verdict, risk, at }: KnownSession, now: number): boolean {
  return (
    verdict === "legitimate" &&
    risk !== undefined &&
    risk.recommendation !== "allow" &&
    at > now - probationMs
  );
}

/** Follows the sessions of one platform, or of all. */
class Follower {
  #logins = 0;
  #last: number | undefined;

  /** @param all counts instead while nothing was followed */
  courseAt(at: number, context: Context, all?: Follower): PlacedCourse {
    if (this.#last === undefined && all !== undefined) return all.courseAt(at, context);
    const sinceMs = Math.max(0, at - (this.#last ?? at));
    const logins = Math.max(this.#logins, weakShare);
    const bucket = bucketOf(sinceMs, Math.round(logins), context.device === "mobile");
    return { logins, sinceMs, bucket };
  }

  add(at: number, logins: number): void {
    this.#last = at;
    this.#logins += logins;
  }
}

/** @param history what is learned from, up to `now`, the oldest first */
export function weighHistory(history: History, context: Context, now: number): LearnedHistory {
  const all = new Follower();
  const platform = new Follower();
  let browser: string | null = null;
  let family: string | null = null;
  const sessions = history.map((known): LearnedSession => {
    const { at, verdict, context: learned } = known;
    const isStrong = verdict !== null;
    const onProbation = isOnProbation(known, now);
    if (learned.browser !== browser) {
      browser = learned.browser;
      family = familyOf(browser);
    }
    const isAlike = learned.os === context.os && learned.device === context.device;
    const agentCourse = all.courseAt(at, learned);
    const networkCourse = isAlike ? platform.courseAt(at, learned, all) : agentCourse;
    if (!onProbation) {
      const logins = isStrong ? 1 : weakShare;
      all.add(at, logins);
      if (isAlike) platform.add(at, logins);
    }
    return {
      context: learned,
      at,
      family,
      weight: (isStrong ? 1 : weakShare) * 2 ** ((at - now) / halfLifeMs),
      presentWeight: 2 ** ((at - now) / presentHalfLifeMs),
      isStrong,
      isOnProbation: onProbation,
      likeness: isAlike ? 1 : otherPlatformShare,
      networkCourse,
      agentCourse,
    };
  });
  return {
    sessions,
    networkCourse: platform.courseAt(now, context, all),
    agentCourse: all.courseAt(now, context),
  };
}
