/**
 * What the statistics count (pure). A counter is named `metric.value`. docs/audit.md lists which event counts where.
 */
import type { AuditAction, StoredEvent } from "../event.ts";

export const hourMs = 60 * 60 * 1000;
export const hoursPerDay = 24;

/** The metrics, and the values that each always has. The values of `requests_refused` are reasons. */
export const metricValues = {
  verifications: ["success", "failure", "refused"],
  enrolments: ["configured", "confirmed", "removed", "refused"],
  locks: ["locked", "disabled", "unlocked"],
  assessments: ["allow", "challenge", "deny", "refused"],
  passkeys: ["success", "failure", "refused", "registered", "removed"],
  requests_refused: [],
  active_users: ["users"],
} as const satisfies Record<string, readonly string[]>;
export type Metric = keyof typeof metricValues;

/** A user is counted once in each of them. The widest comes first. */
export const activityPeriods = ["month", "day", "hour"] as const;
export type ActivityPeriod = (typeof activityPeriods)[number];

/** The counter of all events, whatever they are about. */
export const eventsCounter = "events";

export function activeUsersCounterOf(period: ActivityPeriod): string {
  return `active_users.${period}`;
}

/** What counts, of an event that is integrated. */
export type CountedEvent = Pick<
  StoredEvent,
  "leafIndex" | "at" | "action" | "targetId" | "outcome" | "reason" | "details"
>;

/** The counts of one hour of one tenant, by counter. */
export interface HourCounts {
  readonly hour: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** An hour in which a user had an accepted verification. */
export interface UserHour {
  readonly identityId: string;
  readonly hour: number;
  /** The first such leaf. */
  readonly leafIndex: number;
}

export function hourOf(at: number): number {
  return Math.floor(at / hourMs);
}

/** The hours of a period: from `from`, below `below`. */
export interface HourRange {
  readonly from: number;
  readonly below: number;
}

/** A counter's sum in each bucket of `hoursPerBucket` hours that has one. */
export interface BucketSum {
  /** The first hour of the bucket. */
  readonly hour: number;
  readonly counter: string;
  readonly sum: number;
}

/** The calendar month (UTC) of an hour. */
export function monthOf(hour: number): HourRange {
  const date = new Date(hour * hourMs);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { from: hourOf(Date.UTC(year, month)), below: hourOf(Date.UTC(year, month + 1)) };
}

function startOf(period: ActivityPeriod, hour: number): number {
  if (period === "month") return monthOf(hour).from;
  return period === "day" ? hour - (hour % hoursPerDay) : hour;
}

/** The actions that verify a user, with a code or with a passkey. */
export const verifyingActions: readonly AuditAction[] = ["otp.verified", "passkey.verified"];

function isAcceptedVerification({ action, outcome }: CountedEvent): boolean {
  return verifyingActions.includes(action) && outcome === "success";
}

/** The counter of the event's metric; undefined if it belongs to none. */
function counterOf({ action, outcome, reason }: CountedEvent): string | undefined {
  const isRefused = outcome === "refused";
  switch (action) {
    case "otp.verified":
      return `verifications.${outcome}`;
    case "otp.configured":
    case "authenticator.added":
      return `enrolments.${isRefused ? "refused" : "configured"}`;
    case "otp.confirmed":
      return "enrolments.confirmed";
    case "otp.removed":
    case "authenticator.removed":
      return isRefused ? undefined : "enrolments.removed";
    case "user.locked":
      return "locks.locked";
    case "user.unlocked":
      return "locks.unlocked";
    case "otp.disabled":
      return "locks.disabled";
    case "session.assessed":
      return `assessments.${isRefused ? "refused" : reason}`;
    case "passkey.verified":
      return `passkeys.${outcome}`;
    case "passkey.registered":
      return outcome === "success" ? "passkeys.registered" : undefined;
    case "passkey.removed":
      return isRefused ? undefined : "passkeys.removed";
    default:
      return undefined;
  }
}

/** How many requests an event stands for. One `refused` event may stand for several. */
function weightOf({ outcome, details: { count } }: CountedEvent): number {
  const isCounted = outcome === "refused" && Number.isSafeInteger(count);
  return isCounted ? Number(count) : 1;
}

export function keyOfUserHour({ identityId, hour }: Omit<UserHour, "leafIndex">): string {
  return `${identityId} ${hour}`;
}

/** The hours in which the events have accepted verifications, each user and hour once. */
export function listUserHours(events: readonly CountedEvent[]): UserHour[] {
  const found = new Map<string, UserHour>();
  for (const event of events.filter(isAcceptedVerification)) {
    const { targetId: identityId, leafIndex } = event;
    const userHour = { identityId, hour: hourOf(event.at), leafIndex };
    const key = keyOfUserHour(userHour);
    if (!found.has(key)) found.set(key, userHour);
  }
  return [...found.values()];
}

/**
 * Counts consecutive events of one log. A user is counted in the hour of the first leaf that has an accepted
 * verification of the period, so the counts of several slices add up, whatever the times of their events.
 * @param knownPeriods by key of user and hour: in how many of `activityPeriods`, from the widest on, a leaf before
 *   these events has an accepted verification of the user
 */
export function countEvents(
  events: readonly CountedEvent[],
  knownPeriods: ReadonlyMap<string, number>,
): HourCounts[] {
  const hours = new Map<number, Record<string, number>>();
  const seen = new Set<string>();
  for (const event of events) {
    const hour = hourOf(event.at);
    const counts = hours.get(hour) ?? {};
    hours.set(hour, counts);
    const add = (counter: string, weight: number) => {
      counts[counter] = (counts[counter] ?? 0) + weight;
    };
    const weight = weightOf(event);
    add(eventsCounter, 1);
    const counter = counterOf(event);
    if (counter !== undefined) add(counter, weight);
    if (event.outcome === "refused") add(`requests_refused.${event.reason}`, weight);
    if (!isAcceptedVerification(event)) continue;
    const identityId = event.targetId;
    const known = knownPeriods.get(keyOfUserHour({ identityId, hour })) ?? 0;
    for (const [index, period] of activityPeriods.entries()) {
      const key = `${period} ${identityId} ${startOf(period, hour)}`;
      if (index >= known && !seen.has(key)) add(activeUsersCounterOf(period), 1);
      seen.add(key);
    }
  }
  return [...hours].map(([hour, counts]) => ({ hour, counts }));
}
