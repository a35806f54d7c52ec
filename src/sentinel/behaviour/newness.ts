/**
 * How often a real login is new on a level although it agrees on all coarser ones (pure): an assumption from the
 * time since the last login and the number of logins, corrected by what the population shows.
 */
import type { Level } from "../context.ts";
import { newness, trust } from "../weights.ts";

export interface Course {
  /** Sessions that were known; a weakly confirmed one counts as a part of one. */
  readonly logins: number;
  /** Time since the last of them, ms. */
  readonly sinceMs: number;
}

/** @param fresh the sessions of the population that were new, of `all` after a similar time and number of logins */
export function estimateNewness(level: Level, course: Course, fresh: number, all: number): number {
  return estimateBy(newness[level], course, fresh, all);
}

/** The same with what is assumed of a level, for many courses. */
export function estimateBy(
  { immediate, longTerm, halfwayMs, fewLogins }: (typeof newness)[Level],
  { logins, sinceMs }: Course,
  fresh: number,
  all: number,
): number {
  const passed = sinceMs / (sinceMs + halfwayMs);
  const unchanged = 1 - (immediate + (longTerm - immediate) * passed);
  const assumed = 1 - (unchanged * logins) / (logins + fewLogins);
  return all === 0 ? assumed : (trust.novelty * assumed + fresh) / (trust.novelty + all);
}
