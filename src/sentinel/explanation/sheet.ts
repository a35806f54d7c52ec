/**
 * The steps of an explanation (pure), like the rows of a spreadsheet: each is a number of the session or of the model,
 * or follows by its formula from the steps before it. A step follows from the *shown* digits of the earlier ones, so
 * a reader who computes it again from them gets what is shown.
 */

import { mapKinds } from "../kinds.ts";
import type { AttackerKind } from "../weights.ts";
import { attackerKinds } from "../weights.ts";
import { evaluate, type Value } from "./formula.ts";

/** Where the number of a step comes from: the inputs of the assessment, the weights of the model, or earlier steps. */
export const stepSources = ["inputs", "model", "formula"] as const;
export type StepSource = (typeof stepSources)[number];

export interface Step {
  /** What the step is about, for headings. */
  readonly section: string;
  /** Formulas name the step by it. */
  readonly name: string;
  readonly source: StepSource;
  readonly formula: string | null;
  /** Null if the step has a number for each kind of attacker. */
  readonly value: number | null;
  readonly byKind: Readonly<Record<AttackerKind, number>> | null;
  /** What the number is. */
  readonly meaning: string;
}

/** Digits of a shown number that count. A pocket calculator has eight. */
const significantDigits = 7;
/** A contribution has four decimals. The shown digits of a formula may move the last one. */
const maxDifference = 0.000_06;

function toShown(value: number): number {
  return Number(value.toPrecision(significantDigits));
}

/** The formulas do not give what the score was computed from. */
export class UnexplainedError extends Error {}

/** A number in a formula. */
export function literal(value: number): string {
  return value < 0 ? `(${value})` : String(value);
}

/** The product of steps; 1 without any. */
export function productOf(names: readonly string[]): string {
  return names.length === 0 ? "1" : names.join(" * ");
}

/** The sum of steps; 0 without any. */
export function sumOf(names: readonly string[]): string {
  return names.length === 0 ? "0" : names.join(" + ");
}

export class Sheet {
  readonly steps: Step[] = [];
  readonly #values = new Map<string, Value>();
  #section = "";

  /** Begins a part with a heading. */
  begin(section: string): void {
    this.#section = section;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** A number that the inputs of the assessment have. */
  read(name: string, value: number, meaning: string): void {
    this.#add(name, value, "inputs", null, meaning);
  }

  /** A number that the model fixes. */
  weigh(name: string, value: Value, meaning: string): void {
    this.#add(name, value, "model", null, meaning);
  }

  compute(name: string, formula: string, meaning: string): void {
    this.#add(name, evaluate(formula, this.#values), "formula", formula, meaning);
  }

  /**
   * Adds a step whose number is known from the score itself.
   * @throws UnexplainedError if the formula gives another one
   */
  conclude(name: string, formula: string, value: number, meaning: string): void {
    const computed = evaluate(formula, this.#values);
    if (typeof computed !== "number" || !(Math.abs(computed - value) <= maxDifference)) {
      throw new UnexplainedError(`${name} is ${value}, and not ${computed}`);
    }
    this.#add(name, value, "formula", formula, meaning);
  }

  #add(
    name: string,
    value: Value,
    source: StepSource,
    formula: string | null,
    meaning: string,
  ): void {
    const shown = typeof value === "number" ? toShown(value) : value.map(toShown);
    this.#values.set(name, shown);
    this.steps.push({
      section: this.#section,
      name,
      source,
      formula,
      value: typeof shown === "number" ? shown : null,
      byKind:
        typeof shown === "number"
          ? null
          : mapKinds((kind) => shown[attackerKinds.indexOf(kind)] ?? Number.NaN),
      meaning,
    });
  }
}
