/** Which kinds of data are missing or too old (pure). */
import { type DataKind, type DatedKind, dataKinds, datedKinds, isFast } from "./network-facts.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** Networks change owners within months, listed addresses within days. */
const shardsStaleMs = 90 * dayMs;
const threatsStaleMs = 14 * dayMs;
/** Data that is dated further in the future comes from a wrong clock, and would not become stale in time. */
const clockSkewMs = dayMs;

export type DataAge = "fresh" | "missing" | "stale";

/**
 * @param at when the newest list of the kind was fetched, Unix ms; 0: there is none
 * @param now real time, Unix ms
 */
function judgeAge(kind: DatedKind, at: number, now: number): DataAge {
  if (at === 0) return "missing";
  const maxAgeMs = isFast(kind) ? threatsStaleMs : shardsStaleMs;
  return now - at > maxAgeMs || at - now > clockSkewMs ? "stale" : "fresh";
}

/** The age of every kind. @param timeOf when the newest list of a kind was fetched, Unix ms; 0: there is none */
export function judgeAges(
  timeOf: (kind: DatedKind) => number,
  now: number,
): ReadonlyMap<DatedKind, DataAge> {
  return new Map(datedKinds.map((kind) => [kind, judgeAge(kind, timeOf(kind), now)]));
}

/** The names that these kinds have in an answer, where the two tables of geography have one. */
export function nameKinds(kinds: readonly DatedKind[]): readonly DataKind[] {
  const named = kinds.map((kind) => (kind === "asn" || kind === "country" ? "geography" : kind));
  return dataKinds.filter((name) => named.includes(name));
}
