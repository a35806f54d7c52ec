/**
 * How often the user was new on each level of a hierarchy, and how often anybody would have been at those times (pure).
 * Only the relation of the two counts: a phone changes its address with every login, a house rarely.
 *
 * The sessions of all branches count together, wherever the new session is. So the numbers do not depend on it, and
 * taking a value away from the history does not change them: on this the order of risks rests (attacker-model.ts).
 */
import type { HierarchyName, Level } from "../context.ts";
import type { Population } from "../population/population.ts";
import { newness } from "../weights.ts";
import { type LearnedSession, readLearned } from "./learned-sessions.ts";
import { estimateBy } from "./newness.ts";

export interface Changes {
  readonly observed: number;
  readonly expected: number;
}

type Value = string | number | null;

/** A place in the hierarchy, with the values that are known below it; null stands for a value that is not known. */
class Branch {
  #finer: Map<Value, Branch> | undefined;
  #last: Value | undefined;
  #lastBranch: Branch | undefined;
  /** Whether some value is known. */
  isKnown = false;

  /** Most sessions have the value of the one before. */
  find(value: Value): Branch | undefined {
    if (value === this.#last) return this.#lastBranch;
    const found = this.#finer?.get(value);
    if (found !== undefined) this.#remember(value, found);
    return found;
  }

  add(value: Value): Branch {
    const added = new Branch();
    this.#finer ??= new Map();
    this.#finer.set(value, added);
    this.isKnown ||= value !== null;
    this.#remember(value, added);
    return added;
  }

  #remember(value: Value, branch: Branch): void {
    this.#last = value;
    this.#lastBranch = branch;
  }
}

interface Count {
  readonly level: Level;
  readonly assumed: (typeof newness)[Level];
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
  let isCompared = true;
  for (const count of counts) {
    const value = readLearned(session, count.level) ?? null;
    const known = branch.find(value);
    isCompared &&= branch.isKnown || value === null;
    if (isCompared && value !== null) {
      const counted = count.novelty?.[course.bucket];
      const [fresh, all] = counted === undefined ? [0, 0] : counted;
      count.expected += weight * estimateBy(count.assumed, course, fresh, all);
      if (known === undefined) count.observed += weight;
    }
    if (known === undefined) isCompared = false;
    branch = known ?? branch.add(value);
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
    const novelty = population?.novelty[level];
    return { level, assumed: newness[level], novelty, observed: 0, expected: 0 };
  });
  const root = new Branch();
  for (const session of sessions) {
    if (!session.isOnProbation) countSession(counts, root, session, hierarchy === "network");
  }
  return counts;
}
