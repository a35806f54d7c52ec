/**
 * A calculator of its own for the formulas of an explanation: what a reader with a pocket calculator does. It shares
 * nothing with the product, and computes for one kind of attacker at a time.
 */
import type { Step } from "../../../src/sentinel/explanation/sheet.ts";
import { reasonNames } from "../../../src/sentinel/reason.ts";
import { type AttackerKind, attackerKinds } from "../../../src/sentinel/weights.ts";

type Numbers = ReadonlyMap<string, Pick<Step, "value" | "byKind">>;

const priorities: Readonly<Record<string, number>> = { "+": 1, "-": 1, "*": 2, "/": 2, "^": 4 };

/** Splits at the first of the operators that binds most weakly, outside parentheses. */
function findSplit(text: string): { at: number; sign: string } | undefined {
  let found: { at: number; sign: string } | undefined;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charAt(at);
    if (sign === "(") depth += 1;
    if (sign === ")") depth -= 1;
    const priority = priorities[sign];
    const isBinary = at > 0 && /[\w.)]\s*$/.test(text.slice(0, at));
    if (depth !== 0 || priority === undefined || !isBinary) continue;
    if (found === undefined || priority <= (priorities[found.sign] ?? 0)) found = { at, sign };
  }
  return found;
}

function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "(") depth += 1;
    if (text[at] === ")") depth -= 1;
    if (text[at] !== "," || depth > 0) continue;
    parts.push(text.slice(begin, at));
    begin = at + 1;
  }
  return [...parts, text.slice(begin)];
}

type Compute = (numbers: Numbers, kind?: AttackerKind) => number;

const operations: Readonly<Record<string, (left: number, right: number) => number>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "^": (left, right) => left ** right,
};

const functions: Readonly<Record<string, (...values: number[]) => number>> = {
  min: Math.min,
  max: Math.max,
  ln: Math.log,
  exp: Math.exp,
};

function read(formula: string): Compute {
  const text = formula.trim();
  const split = findSplit(text);
  if (split !== undefined) {
    const [left, right] = [read(text.slice(0, split.at)), read(text.slice(split.at + 1))];
    const apply = operations[split.sign] ?? (() => Number.NaN);
    return (numbers, kind) => apply(left(numbers, kind), right(numbers, kind));
  }
  if (text.startsWith("-")) {
    const negated = read(text.slice(1));
    return (numbers, kind) => -negated(numbers, kind);
  }
  if (text.startsWith("(")) return read(text.slice(1, -1));
  const [, name = "", inside = ""] = /^(\w+)\((.*)\)$/s.exec(text) ?? [];
  if (name === "sum") {
    const one = read(inside);
    return (numbers) => attackerKinds.reduce((sum, kind) => sum + one(numbers, kind), 0);
  }
  const apply = functions[name];
  if (apply !== undefined) {
    const values = splitArguments(inside).map(read);
    return (numbers, kind) => apply(...values.map((value) => value(numbers, kind)));
  }
  if (/^\d/.test(text)) return () => Number(text);
  return (numbers, kind) => {
    const number = numbers.get(text);
    return number?.value ?? (kind && number?.byKind?.[kind]) ?? Number.NaN;
  };
}

const known = new Map<string, Compute>();

/** @param kind for which kind of attacker, where a number has one for each */
export function calculate(formula: string, numbers: Numbers, kind?: AttackerKind): number {
  const compute = known.get(formula) ?? read(formula);
  known.set(formula, compute);
  return compute(numbers, kind);
}

/** Contributions and what they are rounded from are shown with four decimals, as the API answers them. */
const roundedNames: readonly string[] = [
  ...reasonNames,
  "risk_score",
  ...["both", "network_alone", "settled.both", "settled.network_alone"],
];
const roundedDecimals = 4;

/** A step of the API's answer. */
export function readStep({
  by_kind,
  ...step
}: Omit<Step, "byKind"> & { by_kind: Step["byKind"] }): Step {
  return { ...step, byKind: by_kind };
}

/** The steps whose formula, with the shown digits of the others, does not give the shown number. */
export function findWrongSteps(steps: readonly Step[]): string[] {
  const numbers = new Map<string, Step>();
  const wrong: string[] = [];
  for (const step of steps) {
    if (numbers.has(step.name)) wrong.push(`${step.name} occurs twice`);
    numbers.set(step.name, step);
    const { formula, name } = step;
    if (formula === null) continue;
    const isRight = (shown: number, kind?: AttackerKind) => {
      const computed = calculate(formula, numbers, kind);
      // Half a unit of the last shown digit, and a little for the calculator.
      const places = roundedNames.includes(name) ? roundedDecimals : undefined;
      const half =
        places === undefined
          ? 10 ** (Math.floor(Math.log10(Math.abs(computed) || 1)) - 6) / 2
          : 10 ** -places / 2;
      return Math.abs(computed - shown) <= half * (places === undefined ? 1.01 : 1.2);
    };
    const shown =
      step.byKind === null
        ? []
        : attackerKinds.filter((kind) => !isRight(step.byKind?.[kind] ?? Number.NaN, kind));
    if (shown.length > 0) wrong.push(`${name} of ${shown.join(", ")}: ${formula}`);
    if (step.value !== null && !isRight(step.value)) {
      wrong.push(`${name} = ${step.value}, not ${calculate(formula, numbers)}: ${formula}`);
    }
  }
  return wrong;
}
