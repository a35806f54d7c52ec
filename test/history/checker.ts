/**
 * Checks linearizability: whether the model gives the recorded answers for some sequence of the calls
 * in which a call that ended before another began comes first. The search is by Wing and Gong, with
 * Lowe's cache of visited states.
 *
 * A call without an answer may have taken effect at any time after it was sent, or never.
 */
import { apply, type Call, initial, type Policy, type State, time } from "./model.ts";

export interface Recorded extends Call {
  /** The client and a description, for the report. */
  readonly client: string;
  readonly about: string;
  /** Ticks of a monotonic clock. `answered` is null when the client received no answer. */
  readonly sent: number;
  readonly answered: number | null;
  readonly answer: string | null;
}

export type History = readonly Recorded[];

function endOf({ answered }: Recorded): number {
  return answered ?? Number.POSITIVE_INFINITY;
}

function removeCall(history: History, call: Recorded): History {
  return history.filter(({ id }) => id !== call.id);
}

/** Identifies a state and its open calls, so that the search visits them once. */
function keyOf(state: State, open: History): string {
  return `${open.map(({ id }) => id).join()} ${JSON.stringify(state)}`;
}

/** The calls that can come first: those sent before any other had ended. */
function nextOf(open: History): History {
  const firstEnd = Math.min(...open.map(endOf));
  return open.filter(({ sent }) => sent <= firstEnd);
}

export function isLinearizable(policy: Policy, history: History, from: State = initial): boolean {
  const tried = new Set<string>();
  const visit = (state: State, open: History): boolean => {
    if (open.every(({ answered }) => answered === null)) return true;
    const key = keyOf(state, open);
    if (tried.has(key)) return false;
    tried.add(key);
    return nextOf(open).some((call) => {
      const outcome = apply(policy, state, call);
      if (call.answered !== null && call.answer !== outcome.answer) return false;
      return visit(outcome.state, removeCall(open, call));
    });
  };
  return visit(from, history);
}

/** The history as it was known at that tick. */
function truncateAt(history: History, tick: number): History {
  return history
    .filter(({ sent }) => sent <= tick)
    .map((call) => (endOf(call) <= tick ? call : { ...call, answered: null, answer: null }));
}

/** The answers that the call could have got, over all orders that explain the other answers. */
function findPossibleAnswers(policy: Policy, history: History, of: number): readonly string[] {
  const tried = new Set<string>();
  const possible = new Set<string>();
  const visit = (state: State, open: History): void => {
    const key = keyOf(state, open);
    if (tried.has(key)) return;
    tried.add(key);
    for (const call of nextOf(open)) {
      const outcome = apply(policy, state, call);
      const rest = removeCall(open, call);
      if (call.id === of) {
        if (isLinearizable(policy, rest, outcome.state)) possible.add(outcome.answer);
      } else if (call.answered === null || call.answer === outcome.answer) {
        visit(outcome.state, rest);
      }
    }
  };
  visit(initial, history);
  return [...possible].sort();
}

interface Contradiction {
  readonly bad: History;
  /** The first call whose answer no order explains, and the answers that it could have got. */
  readonly last: Recorded;
  readonly possible: readonly string[];
}

/**
 * Finds the shortest contradiction in a history that no order explains. It ends at the first answer
 * that is impossible, and omits the calls that do not change which answers are possible there.
 */
export function findShortestContradiction(policy: Policy, history: History): Contradiction {
  const ends = history.flatMap(({ answered }) => answered ?? []).sort((a, b) => a - b);
  const tick = ends.find((end) => !isLinearizable(policy, truncateAt(history, end)));
  const last = history.find(({ answered }) => answered === tick);
  if (tick === undefined || last === undefined) throw new Error("An order explains the history");
  let bad = truncateAt(history, tick);
  const possible = findPossibleAnswers(policy, bad, last.id);
  for (let before = 0; before !== bad.length; ) {
    before = bad.length;
    for (const call of removeCall(bad, last)) {
      const fewer = removeCall(bad, call);
      const same = findPossibleAnswers(policy, fewer, last.id);
      if (same.join("\n") === possible.join("\n")) bad = fewer;
    }
  }
  return { bad, last, possible };
}

function formatCall(call: Recorded): string {
  const { id, client, about, sent, answered, answer, at } = call;
  const when = `${String(sent).padStart(3)} to ${(answered === null ? "?" : String(answered)).padEnd(3)}`;
  return `${when}  ${client}  #${id} ${about} at ${time(at)} → ${answer ?? "no answer; it may have taken effect or not"}`;
}

/** Describes why no order explains the history; undefined when one does. */
export function findContradiction(policy: Policy, history: History): string | undefined {
  if (isLinearizable(policy, history)) return undefined;
  const { bad, last, possible } = findShortestContradiction(policy, history);
  return [
    "No order of these calls explains their answers (sent and answered in ticks):",
    ...bad.toSorted((a, b) => a.sent - b.sent).map(formatCall),
    `#${last.id} could have been answered: ${possible.join(", or ") || "no answer"}`,
  ].join("\n");
}
