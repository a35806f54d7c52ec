/** The numbers of the overview: what happened in each bucket, and in the same bucket a week before. */
import type { Statistics, StatisticsQuery } from "@edge-idp/sdk";

type MetricName = StatisticsQuery["metric"];
type Point = Statistics["points"][number];

export interface Measure {
  readonly id: string;
  readonly metric: MetricName;
  /** Which of the values of a bucket count; without it, all. */
  readonly values?: readonly string[];
}

export const measures = [
  { id: "verified", metric: "verifications", values: ["success"] },
  { id: "failures", metric: "verifications", values: ["failure"] },
  { id: "locks", metric: "locks", values: ["locked"] },
  { id: "enrolments", metric: "enrolments", values: ["configured"] },
  { id: "challenges", metric: "assessments", values: ["challenge", "deny"] },
  { id: "passkeys", metric: "passkeys", values: ["success"] },
  { id: "active_users", metric: "active_users", values: ["users"] },
  { id: "refused", metric: "requests_refused" },
] as const satisfies readonly Measure[];

/** Each metric of the API once. */
export const metrics: readonly MetricName[] = [...new Set(measures.map(({ metric }) => metric))];

export const hourMs = 60 * 60 * 1000;
export const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;

export interface Period {
  readonly step: "hour" | "day";
  readonly buckets: number;
}

export const periods = {
  hour: { step: "hour", buckets: 24 },
  week: { step: "day", buckets: 7 },
  month: { step: "day", buckets: 30 },
} as const satisfies Record<string, Period>;

function stepMsOf({ step }: Period): number {
  return step === "hour" ? hourMs : dayMs;
}

/** What to ask the service, so that the answer covers the period and the same a week before. @param now Unix ms */
export function createQuery(metric: MetricName, period: Period, now: number): StatisticsQuery {
  const stepMs = stepMsOf(period);
  const last = Math.floor(now / stepMs) * stepMs;
  const first = last - (period.buckets - 1) * stepMs - weekMs;
  return { metric, step: period.step, from: new Date(first).toISOString() };
}

export interface Series {
  /** The beginning of each bucket, Unix ms. */
  readonly times: readonly number[];
  readonly now: readonly number[];
  readonly before: readonly number[];
}

function sumOf({ values }: Point, wanted: readonly string[] | undefined): number {
  const counted = wanted ?? Object.keys(values);
  return counted.reduce((sum, name) => sum + (values[name] ?? 0), 0);
}

/** @param now Unix ms */
export function createSeries(
  points: readonly Point[],
  { values }: Measure,
  period: Period,
  now: number,
): Series {
  const stepMs = stepMsOf(period);
  const sums = new Map(points.map((point) => [Date.parse(point.at), sumOf(point, values)]));
  const last = Math.floor(now / stepMs) * stepMs;
  const times = Array.from(
    { length: period.buckets },
    (_, index) => last - (period.buckets - 1 - index) * stepMs,
  );
  return {
    times,
    now: times.map((time) => sums.get(time) ?? 0),
    before: times.map((time) => sums.get(time - weekMs) ?? 0),
  };
}

export function totalOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
