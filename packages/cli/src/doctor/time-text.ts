/** A duration as a person says it. */

const units = [
  { name: "days", seconds: 86_400 },
  { name: "hours", seconds: 3_600 },
  { name: "minutes", seconds: 60 },
] as const;

/** The largest unit of which there are at least two, such as `90 minutes`, rounded down. */
export function describeSeconds(seconds: number): string {
  const unit = units.find(({ seconds: length }) => seconds >= 2 * length);
  return unit === undefined
    ? `${Math.floor(seconds)} s`
    : `${Math.floor(seconds / unit.seconds)} ${unit.name}`;
}
