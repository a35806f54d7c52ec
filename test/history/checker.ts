/**
 * Is there an order of the calls, one after the other, that the model would have answered as they
 * were answered? A call that ended before another began comes first (linearizability; the search is
 * that of Wing and Gong, with Lowe's memory of what was tried).
 *
 * A call without an answer may have happened at any time since it was made, or never.
 */
import { apply, type Call, initial, type Policy, type State, time } from "./model.ts";

export interface Recorded extends Call {
  /** Who made it, and what it was, for people. */
  readonly client: string;
  readonly about: string;
  /** Ticks of one clock that only ever grows: made, and answered (null: never, or not for us). */
  readonly made: number;
  readonly answered: number | null;
  readonly answer: string | null;
}

export type History = readonly Recorded[];

function endOf({ answered }: Recorded): number {
  return answered ?? Number.POSITIVE_INFINITY;
}

function without(history: History, call: Recorded): History {
  return history.filter(({ id }) => id !== call.id);
}

/** What is so, and which calls are to come: there is no need to go on from there twice. */
function keyOf(state: State, open: History): string {
  return `${open.map(({ id }) => id).join()} ${JSON.stringify(state)}`;
}

/** The calls that can come first: made before any other had ended. */
function nextOf(open: History): History {
  const firstEnd = Math.min(...open.map(endOf));
  return open.filter(({ made }) => made <= firstEnd);
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
      return visit(outcome.state, without(open, call));
    });
  };
  return visit(from, history);
}

/** What was known at that tick. */
function until(history: History, tick: number): History {
  return history
    .filter(({ made }) => made <= tick)
    .map((call) => (endOf(call) <= tick ? call : { ...call, answered: null, answer: null }));
}

/** What the call could have been answered, in all orders that explain the other answers. */
function possibleAnswers(policy: Policy, history: History, of: number): readonly string[] {
  const tried = new Set<string>();
  const possible = new Set<string>();
  const visit = (state: State, open: History): void => {
    const key = keyOf(state, open);
    if (tried.has(key)) return;
    tried.add(key);
    for (const call of nextOf(open)) {
      const outcome = apply(policy, state, call);
      const rest = without(open, call);
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
  /** The answer that is too many, and what could have been answered instead. */
  readonly last: Recorded;
  readonly possible: readonly string[];
}

/**
 * The shortest contradiction in a history that no order explains: up to the first answer that is
 * too many, without the calls that make no difference to what could be answered there.
 */
export function shortestBad(policy: Policy, history: History): Contradiction {
  const ends = history.flatMap(({ answered }) => answered ?? []).sort((a, b) => a - b);
  const tick = ends.find((end) => !isLinearizable(policy, until(history, end)));
  const last = history.find(({ answered }) => answered === tick);
  if (tick === undefined || last === undefined) throw new Error("The history can be explained");
  let bad = until(history, tick);
  const possible = possibleAnswers(policy, bad, last.id);
  for (let before = 0; before !== bad.length; ) {
    before = bad.length;
    for (const call of without(bad, last)) {
      const fewer = without(bad, call);
      const same = possibleAnswers(policy, fewer, last.id);
      if (same.join("\n") === possible.join("\n")) bad = fewer;
    }
  }
  return { bad, last, possible };
}

function line(call: Recorded): string {
  const { id, client, about, made, answered, answer, at } = call;
  const when = `${String(made).padStart(3)} to ${(answered === null ? "?" : String(answered)).padEnd(3)}`;
  return `${when}  ${client}  #${id} ${about} at ${time(at)} → ${answer ?? "no answer: may have happened, or not"}`;
}

/** Why no order explains the history, for people; undefined when one does. */
export function contradictionIn(policy: Policy, history: History): string | undefined {
  if (isLinearizable(policy, history)) return undefined;
  const { bad, last, possible } = shortestBad(policy, history);
  return [
    "No order of these calls explains their answers (made and answered in ticks):",
    ...bad.toSorted((a, b) => a.made - b.made).map(line),
    `#${last.id} could be answered: ${possible.join(", or ") || "nothing that fits"}`,
  ].join("\n");
}
