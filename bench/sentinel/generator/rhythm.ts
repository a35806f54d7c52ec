/** Draws the times of logins (pure): their number per year, bursts and pauses, and a person's own hours. */
import { publishedLogins } from "../published.ts";
import { type Random, Weighted } from "../random.ts";
import { rhythmRates, yearDays } from "./rates.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** The Unix epoch was a Thursday; weeks begin on Monday. */
export const daysBeforeEpoch = 3;

/** Hours ahead of UTC where most people of the country live; by longitude, without daylight time. */
const offsets: Readonly<Record<string, number>> = {
  US: -6,
  CA: -5,
  MX: -6,
  BR: -3,
  AR: -3,
  CL: -4,
  CO: -5,
  GB: 0,
  PT: 0,
  IE: 0,
  RU: 3,
  TR: 3,
  UA: 2,
  IN: 5.5,
  CN: 8,
  JP: 9,
  KR: 9,
  AU: 10,
  NZ: 12,
  ID: 7,
  VN: 7,
  TH: 7,
};
const defaultOffset = 1;

/**
 * The numbers of logins. Within each group, weights are a power of the number that gives the published mean.
 */
const counts = publishedLogins.byCount.map(({ min, max, share, mean }) => {
  const values = Array.from({ length: max - min + 1 }, (_, index) => min + index);
  return { share, values: new Weighted(values, (value) => value ** findPower(values, mean)) };
});
const groups = new Weighted(counts, ({ share }) => share);

/** Finds the power that gives the values this mean, by bisection. */
function findPower(values: readonly number[], mean: number): number {
  let [min, max] = [-8, 4];
  for (let round = 0; round < 50; round += 1) {
    const power = (min + max) / 2;
    const weights = values.map((value) => value ** power);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const got = values.reduce((total, value, index) => total + value * (weights[index] ?? 0), 0);
    if (got / sum < mean) min = power;
    else max = power;
  }
  return (min + max) / 2;
}

export function drawLoginCount(random: Random): number {
  return groups.draw(random).values.draw(random);
}

const hoursOfDay = new Weighted(
  rhythmRates.day.map((weight, hour) => ({ hour, weight })),
  ({ weight }) => weight,
);
const maxOfWeek = Math.max(...rhythmRates.week);

/** The hours of one person. */
export interface Rhythm {
  readonly offsetMs: number;
  /** Hours of the local day. */
  readonly own: readonly number[];
}

export function drawRhythm(country: string, random: Random): Rhythm {
  const [min, max] = rhythmRates.ownHours;
  const own = Array.from({ length: min + random.below(max - min + 1) }, () => {
    return hoursOfDay.draw(random).hour + random.next();
  });
  return { offsetMs: (offsets[country] ?? defaultOffset) * hourMs, own };
}

function drawHour({ own }: Rhythm, random: Random): number {
  if (!random.chance(rhythmRates.atOwnHours)) return hoursOfDay.draw(random).hour + random.next();
  const hour = random.normal(random.pick(own), rhythmRates.ownHourSpread);
  return ((hour % 24) + 24) % 24;
}

/** Moves a time to one of the person's hours on that local day, or on the next one if the day is quiet. */
function moveToOwnHour(at: number, rhythm: Rhythm, random: Random): number {
  let day = Math.floor((at + rhythm.offsetMs) / dayMs);
  const weight = rhythmRates.week[(day + daysBeforeEpoch) % 7] ?? 1;
  if (!random.chance(weight / maxOfWeek)) day += 1;
  return Math.round(day * dayMs + drawHour(rhythm, random) * hourMs - rhythm.offsetMs);
}

/** Draws the times of logins within the year from `from`, in ascending order. */
export function drawLoginTimes(
  count: number,
  from: number,
  rhythm: Rhythm,
  random: Random,
): number[] {
  const [min, max] = rhythmRates.activePart;
  const active = yearDays * dayMs * random.between(min, max);
  const start = from + random.next() * (yearDays * dayMs - active);
  const times: number[] = [];
  while (times.length < count) {
    const last = times.at(-1);
    if (last !== undefined && random.chance(rhythmRates.followsSoon)) {
      const spread = Math.exp(random.normal(0, rhythmRates.soonSpread));
      times.push(
        moveFollowUp(last + rhythmRates.soonHours * hourMs * spread, last, rhythm, random),
      );
    } else {
      times.push(moveToOwnHour(start + random.next() * active, rhythm, random));
    }
  }
  const until = from + yearDays * dayMs;
  return times.filter((at) => at >= from && at < until).toSorted((left, right) => left - right);
}

/** Keeps the time of a login within hours of another one; moves a later one to one of the person's hours. */
function moveFollowUp(at: number, last: number, rhythm: Rhythm, random: Random): number {
  if (at - last < rhythmRates.sameOccasionHours * hourMs) return Math.round(at);
  return Math.max(moveToOwnHour(at, rhythm, random), last + hourMs);
}
