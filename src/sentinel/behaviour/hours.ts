/** How common logins are at an hour of the week, for the user and for the population (pure). */
import { hoursInWeek, type Population, weekHourOf } from "../population/population.ts";

/** Standard deviation of the bell curve with which a login counts for the hours around it. */
const hourSpreadHours = 2;
/** Weight of a login on another day of the week; one on the same day has weight 1. */
const otherDayShare = 0.6;
/** Logins, spread evenly over the week, that are added to those of the population. */
const assumedLogins = 200;

/** Hours between two hours of the day, 0 to 12. */
function computeHoursBetween(left: number, right: number): number {
  const apart = Math.abs(left - right) % 24;
  return Math.min(apart, 24 - apart);
}

/** The weight of a login by its distance in hours. */
const hourWeights = Array.from({ length: 13 }, (_, hours) =>
  Math.exp(-0.5 * (hours / hourSpreadHours) ** 2),
);

function weighHours(hours: number): number {
  return hourWeights[hours] ?? 0;
}

/** Weights are divided by these means, so that an evenly spread history gives 1. */
const meanHourWeight =
  Array.from({ length: 24 }, (_, hour) => weighHours(computeHoursBetween(0, hour))).reduce(
    (a, b) => a + b,
  ) / 24;
const meanDayWeight = (1 + 6 * otherDayShare) / 7;

/** 1 is the average hour. */
export function computeOwnHour(
  sessions: readonly { readonly at: number; readonly weight: number }[],
  now: number,
): number {
  const hour = weekHourOf(now);
  let density = 0;
  let total = 0;
  for (const { at, weight } of sessions) {
    const other = weekHourOf(at);
    const sameDay = Math.floor(hour / 24) === Math.floor(other / 24);
    density +=
      weight * weighHours(computeHoursBetween(hour, other)) * (sameDay ? 1 : otherDayShare);
    total += weight;
  }
  return density / (total * meanHourWeight * meanDayWeight);
}

/** 1 is the average hour. */
export function computePopulationHour(population: Population | null, now: number): number {
  if (population === null) return 1;
  const hour = weekHourOf(now);
  const around = [-1, 0, 1].map((step) => (hour + step + hoursInWeek) % hoursInWeek);
  const counted = around.reduce((sum, index) => sum + (population.hours[index] ?? 0), 0);
  const expected = (around.length * population.logins) / hoursInWeek;
  const trust = (around.length * assumedLogins) / hoursInWeek;
  return (counted + trust) / (expected + trust);
}
