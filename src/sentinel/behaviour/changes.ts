/**
 * How often the user was new on each level of a hierarchy, and how often anybody would have been at those times (pure).
 * Only the relation of the two counts: a phone changes its address with every login, a house rarely.
 *
 * The sessions of all branches count together, wherever the new session is. So the numbers do not depend on it, and
 * taking a value away from the history does not change them: on this the order of risks rests (attacker-model.ts).
 */
import type { HierarchyName, Level } from "../context.ts";
import type { Population } from "../population/population.ts";
import { type LearnedSession, readLearned } from "./learned-sessions.ts";
import { estimateNewness } from "./newness.ts";

export interface Changes {
  readonly observed: number;
  readonly expected: number;
}

/** The values that are known below a place in the hierarchy; null stands for a value that is not known. */
interface Branch extends Map<string | number | null, Branch> {}

interface Count {
  readonly level: Level;
  readonly novelty: readonly (readonly [count: number, all: number])[] | undefined;
  observed: number;
  expected: number;
}

function countSession(
  counts: readonly Count[],
  root: Branch,
  session: LearnedSession,
  isNetwork: boolean,
): void {
  const weight = isNetwork ? session.likeness : 1;
  const course = isNetwork ? session.networkCourse : session.agentCourse;
  let branch = root;
  let isCompared = root.size > 0;
  for (const count of counts) {
    const value = readLearned(session, count.level) ?? null;
    const known = branch.get(value);
    isCompared &&= branch.size > (branch.has(null) ? 1 : 0) || value === null;
    if (isCompared && value !== null) {
      const [fresh, all] = count.novelty?.[course.bucket] ?? [0, 0];
      count.expected += weight * estimateNewness(count.level, course, fresh, all);
      if (known === undefined) count.observed += weight;
    }
    if (known === undefined) isCompared = false;
    const next: Branch = known ?? new Map();
    if (known === undefined) branch.set(value, next);
    branch = next;
  }
}

/** @returns the changes on each of the levels */
export function countChanges(
  hierarchy: HierarchyName,
  levels: readonly Level[],
  sessions: readonly LearnedSession[],
  population: Population | null,
): readonly Changes[] {
  const counts = levels.map((level): Count => {
    return { level, novelty: population?.novelty[level], observed: 0, expected: 0 };
  });
  const root: Branch = new Map();
  for (const session of sessions) {
    if (!session.isOnProbation) countSession(counts, root, session, hierarchy === "network");
  }
  return counts;
}
