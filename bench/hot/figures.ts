/** Computes medians and spreads over the rounds. Ratios are computed within each round. */
import { quantile } from "../support/figures.ts";
import type { Costs, Meter, Series } from "./measure.ts";
import type { Comparison, Rows } from "./rows.ts";
import type { SizeRow } from "./size-rows.ts";
import type { Size } from "./stage.ts";
import type { Startup } from "./startup.ts";

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A row with processor times of a request in microseconds. */
export interface ComparisonFigures {
  readonly name: string;
  readonly ours: Spread;
  readonly otherName: string;
  readonly other: Spread;
  /** Computed within each round. */
  readonly ratio: Spread;
  readonly maxRatio?: number;
}

export interface AloneFigures {
  readonly name: string;
  readonly cost: Spread;
  readonly maxMicroseconds?: number;
}

/** The cost at one size, and its ratio to the cost at the smallest. */
export interface SizeCost {
  readonly cost: Spread;
  readonly ratio: Spread;
}

export interface SizeFigures {
  readonly name: string;
  readonly request: readonly SizeCost[];
  readonly whole?: readonly SizeCost[];
}

export interface HotFigures {
  readonly machine: string;
  readonly versions: string;
  readonly at: string;
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly sizes: readonly Size[];
  readonly startup: Startup;
  /** From which the order of the measurements was drawn. */
  readonly seed: string;
  readonly measured: {
    readonly requests: number;
    readonly lateBursts: number;
  };
  readonly costs: {
    readonly requests: readonly ComparisonFigures[];
    readonly delivered: readonly ComparisonFigures[];
    readonly peers: readonly ComparisonFigures[];
    readonly alone: readonly AloneFigures[];
    readonly sizes: readonly SizeFigures[];
  };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    lowest: quantile(sorted, 0),
    highest: quantile(sorted, 1),
  };
}

function ratioOf(of: readonly number[], to: readonly number[]): Spread {
  return spreadOf(of.map((value, round) => value / (to[round] ?? Number.NaN)));
}

function compare(meter: Meter, row: Comparison): ComparisonFigures {
  const ours = meter.costsOf(row.ours)[row.part];
  const other = meter.costsOf(row.other)[row.otherPart];
  const { name, otherName, maxRatio } = row;
  return {
    name,
    ours: spreadOf(ours),
    otherName,
    other: spreadOf(other),
    ratio: ratioOf(ours, other),
    ...(maxRatio === undefined ? {} : { maxRatio }),
  };
}

function computeSizes(meter: Meter, { name, request, whole }: SizeRow): SizeFigures {
  const compared = (lines: readonly Series[], kind: keyof Costs) => {
    const costs = lines.map((series) => meter.costsOf(series)[kind]);
    const [smallest = []] = costs;
    return costs.map((cost) => ({ cost: spreadOf(cost), ratio: ratioOf(cost, smallest) }));
  };
  return {
    name,
    request: compared(request, "request"),
    ...(whole === undefined ? {} : { whole: compared(whole, "whole") }),
  };
}

export function computeFigures(
  meter: Meter,
  warm: Rows,
  cold: Pick<Rows, "requests" | "delivered">,
  sizes: readonly SizeRow[],
): HotFigures["costs"] {
  const all = (rows: readonly Comparison[]) => rows.map((row) => compare(meter, row));
  return {
    requests: all([...warm.requests, ...cold.requests]),
    delivered: all([...warm.delivered, ...cold.delivered]),
    peers: all(warm.peers),
    alone: warm.alone.map(({ series, ...row }) => ({
      ...row,
      cost: spreadOf(meter.costsOf(series).request),
    })),
    sizes: sizes.map((row) => computeSizes(meter, row)),
  };
}
