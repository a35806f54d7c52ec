/**
 * The sessions that would be nearer to the history than this one (pure): new on a finer level, or not new at all. A
 * farther session is at least as risky as every nearer one would be, so the riskiest of them is stored as evidence
 * where it is riskier than the session itself.
 *
 * Without this rule a known browser would excuse a distant network: an attacker that imitates the victim well is most
 * likely found near, and a real user far away.
 */
import { type HierarchyName, hierarchies, type Level, readLevel } from "../context.ts";
import type { BehaviourEvidence, LevelEvidence } from "../evidence.ts";
import { computeRatios, mixKinds } from "./attacker-model.ts";
import {
  type ComparedHierarchy,
  type Comparison,
  describeKnown,
  describeNew,
  LevelCount,
  readLearned,
} from "./compare-levels.ts";
import type { LearnedSession } from "./learned-sessions.ts";
import { type Path, passLevel, type Ratios, skipLevel, startOfPath, stopAt } from "./likelihood.ts";
import type { Course } from "./newness.ts";

/** The evidence along a path, the finest level first. */
interface Chain {
  readonly evidence: LevelEvidence;
  readonly coarser: Chain | undefined;
}

/** A session that could have been. */
interface Candidate {
  readonly ratios: Ratios;
  readonly chain: Chain | undefined;
}

function toLevels(chain: Chain | undefined): readonly LevelEvidence[] {
  return chain === undefined ? [] : [...toLevels(chain.coarser), chain.evidence];
}

function courseOf(hierarchy: HierarchyName, { learned }: Comparison): Course {
  return hierarchy === "network" ? learned.networkCourse : learned.agentCourse;
}

function groupByValue(
  sessions: readonly LearnedSession[],
  level: Level,
): Map<string | number, LearnedSession[]> {
  const groups = new Map<string | number, LearnedSession[]>();
  for (const session of sessions) {
    const value = readLearned(session, level) ?? null;
    if (session.isOnProbation || value === null) continue;
    const group = groups.get(value);
    if (group === undefined) groups.set(value, [session]);
    else group.push(session);
  }
  return groups;
}

function findRarest(groups: ReadonlyMap<string | number, LearnedSession[]>) {
  const weigh = (group: readonly LearnedSession[]) =>
    group.reduce((sum, { weight }) => sum + weight, 0);
  let rarest: readonly [string | number, LearnedSession[], number] = ["", [], Infinity];
  for (const [value, group] of groups) {
    const weight = weigh(group);
    if (weight < rarest[2]) rarest = [value, group, weight];
  }
  return [rarest[0], rarest[1]] as const;
}

/** Walks down everything that is known below a place in a hierarchy. */
function* walk(
  hierarchy: HierarchyName,
  depth: number,
  sessions: readonly LearnedSession[],
  path: Path,
  chain: Chain | undefined,
  comparison: Comparison,
): Generator<Candidate> {
  const level = hierarchies[hierarchy][depth];
  if (level === undefined) {
    yield { ratios: path.ratios, chain };
    return;
  }
  const { context } = comparison;
  const course = courseOf(hierarchy, comparison);
  const isUnknown = (readLevel(context, level) ?? null) === null;
  const groups = isUnknown ? undefined : groupByValue(sessions, level);
  if (groups === undefined || groups.size === 0) {
    const skipped = skipLevel(path, level, course);
    yield* walk(hierarchy, depth + 1, sessions, skipped, chain, comparison);
    return;
  }
  const count = new LevelCount(hierarchy, level, comparison);
  for (const session of sessions) {
    const value = session.isOnProbation ? null : readLearned(session, level);
    if (value !== undefined && value !== null) count.add(session, value);
  }
  const { basis } = count;
  const fresh = describeNew(basis, level, comparison);
  yield {
    ratios: stopAt(path, hierarchy, fresh, course),
    chain: { evidence: fresh, coarser: chain },
  };
  const isLast = depth === hierarchies[hierarchy].length - 1;
  // Of the finest values only the rarest matters: the others are less risky, as nobody counts them in a population.
  for (const [value, group] of isLast ? [findRarest(groups)] : groups) {
    const evidence = describeKnown(basis, level, group, value, comparison);
    const passed = passLevel(path, hierarchy, evidence, course);
    const next = { evidence, coarser: chain };
    yield* walk(hierarchy, depth + 1, group, passed, next, comparison);
  }
}

/** All sessions that would be nearer. */
function listNearer(
  hierarchy: HierarchyName,
  { levels, agreeing }: ComparedHierarchy,
  comparison: Comparison,
): readonly Candidate[] {
  const last = levels.at(-1);
  if (last === undefined || last.seen) return [];
  const course = courseOf(hierarchy, comparison);
  const all: readonly Level[] = hierarchies[hierarchy];
  const end = all.indexOf(last.level);
  let path = startOfPath;
  let chain: Chain | undefined;
  for (const level of all.slice(0, end)) {
    const evidence = levels.find((one) => one.level === level);
    if (evidence === undefined) path = skipLevel(path, level, course);
    else {
      path = passLevel(path, hierarchy, evidence, course);
      chain = { evidence, coarser: chain };
    }
  }
  // The first one is new on the same level, as the session itself.
  return [...walk(hierarchy, end, agreeing, path, chain, comparison)].slice(1);
}

function isKnown({ levels }: ComparedHierarchy): boolean {
  return levels.every(({ seen }) => seen);
}

/** Undefined if the session itself is the riskiest. */
export function findRiskiestNearer(
  network: ComparedHierarchy,
  agent: ComparedHierarchy,
  comparison: Comparison,
): BehaviourEvidence["nearer"] {
  if (isKnown(network) && isKnown(agent)) return undefined;
  const ownOf = (hierarchy: HierarchyName, { levels }: ComparedHierarchy): Candidate => ({
    ratios: computeRatios(hierarchy, levels, courseOf(hierarchy, comparison)),
    chain: levels.reduce<Chain | undefined>(
      (coarser, evidence) => ({ evidence, coarser }),
      undefined,
    ),
  });
  const own = { network: ownOf("network", network), agent: ownOf("agent", agent) };
  const networks = [own.network, ...listNearer("network", network, comparison)];
  const agents = [own.agent, ...listNearer("agent", agent, comparison)];
  let risk = mixKinds(own.network.ratios, own.agent.ratios);
  let riskiest = own;
  for (const one of networks) {
    for (const other of agents) {
      const mixed = mixKinds(one.ratios, other.ratios);
      if (mixed <= risk) continue;
      risk = mixed;
      riskiest = { network: one, agent: other };
    }
  }
  if (riskiest === own) return undefined;
  return { network: toLevels(riskiest.network.chain), agent: toLevels(riskiest.agent.chain) };
}
