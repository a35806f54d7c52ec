/** Turns sums of counters into the answers about statistics (pure). */
import {
  activeUsersCounterOf,
  type BucketSum,
  eventsCounter,
  type HourRange,
  type Metric,
  metricValues,
} from "./count-events.ts";

export const steps = ["hour", "day"] as const;
export type Step = (typeof steps)[number];

/** What the counters of a metric begin with. Users are counted apart for hours and for days. */
export function prefixOf(metric: Metric, step: Step): string {
  return metric === "active_users" ? activeUsersCounterOf(step) : `${metric}.`;
}

/** The values of a metric in one bucket. */
export interface Point {
  /** The first hour of the bucket. */
  readonly hour: number;
  readonly values: Readonly<Record<string, number>>;
}

/** Builds a point for each bucket of the range. Each has all values of the metric, and all that any bucket has. */
export function buildPoints(
  metric: Metric,
  { from, below }: HourRange,
  hoursPerBucket: number,
  sums: readonly BucketSum[],
): Point[] {
  const [onlyValue] = metric === "active_users" ? metricValues[metric] : [];
  const named = sums.map((one) => ({
    ...one,
    value: onlyValue ?? one.counter.slice(metric.length + 1),
  }));
  const names = [
    ...new Set([...metricValues[metric], ...named.map(({ value }) => value).toSorted()]),
  ];
  const byHour = Map.groupBy(named, ({ hour }) => hour);
  return Array.from({ length: Math.ceil((below - from) / hoursPerBucket) }, (_, index) => {
    const hour = from + index * hoursPerBucket;
    const found = new Map((byHour.get(hour) ?? []).map(({ value, sum }) => [value, sum]));
    return { hour, values: Object.fromEntries(names.map((name) => [name, found.get(name) ?? 0])) };
  });
}

/** What a tenant has used in a range. */
export interface UsageSums {
  /** Codes that were evaluated. */
  readonly verifications: number;
  /** Answers of passkeys that were evaluated. */
  readonly passkeys: number;
  readonly assessments: number;
  readonly enrolments: number;
  readonly locks: number;
  readonly requestsRefused: number;
  /** Each user counts once in a calendar month. */
  readonly activeUsers: number;
  readonly events: number;
}

export function sumUsage(sums: readonly BucketSum[]): UsageSums {
  const total = (isCounted: (counter: string) => boolean) =>
    sums.filter(({ counter }) => isCounted(counter)).reduce((all, { sum }) => all + sum, 0);
  const totalOf = (...counters: readonly string[]) =>
    total((counter) => counters.includes(counter));
  return {
    verifications: totalOf("verifications.success", "verifications.failure"),
    passkeys: totalOf("passkeys.success", "passkeys.failure"),
    assessments: totalOf("assessments.allow", "assessments.challenge", "assessments.deny"),
    enrolments: totalOf("enrolments.configured"),
    locks: totalOf("locks.locked"),
    requestsRefused: total((counter) => counter.startsWith("requests_refused.")),
    activeUsers: totalOf(activeUsersCounterOf("month")),
    events: totalOf(eventsCounter),
  };
}
