/** Computes medians and spreads over the rounds. Ratios are computed within each round. */
import { quantile } from "../support/figures.ts";
import type { Costs, Meter, Series } from "./measure.ts";
import type { BareFloor, Row, SizeRow } from "./rows.ts";
import type { Size } from "./stage.ts";
import type { Startup } from "./startup.ts";

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Processor time a request, in microseconds. */
interface Cost {
  readonly request: Spread;
  readonly whole: Spread;
}

interface PeerFigures {
  readonly name: string;
  readonly cost: Spread;
  /** Our request / its request, and our request with delivery / its request. */
  readonly requestRatio: Spread;
  readonly wholeRatio: Spread;
}

export interface RowFigures {
  readonly name: string;
  readonly floor: Cost;
  /** Compared with ours by `whole`. */
  readonly floorWhole: Cost;
  readonly ours: Cost;
  readonly requestRatio: Spread;
  readonly wholeRatio: Spread;
  readonly peers: readonly PeerFigures[];
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
  readonly costs: {
    readonly requests: number;
    readonly lateBursts: number;
    readonly bare: readonly { readonly name: string; readonly cost: Cost }[];
    readonly warm: readonly RowFigures[];
    readonly cold: readonly RowFigures[];
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

function costOf({ request, whole }: Costs): Cost {
  return { request: spreadOf(request), whole: spreadOf(whole) };
}

function ratioOf(of: readonly number[], to: readonly number[]): Spread {
  return spreadOf(of.map((value, round) => value / (to[round] ?? Number.NaN)));
}

function computeRow(meter: Meter, row: Row): RowFigures {
  const [floor, floorWhole, ours] = [row.floor, row.floorWhole, row.ours].map((one) =>
    meter.costsOf(one),
  );
  if (floor === undefined || floorWhole === undefined || ours === undefined) {
    throw new RangeError("A row without figures");
  }
  const peers = row.peers.map((series): PeerFigures => {
    const { request } = meter.costsOf(series);
    return {
      name: series.subject.name,
      cost: spreadOf(request),
      requestRatio: ratioOf(ours.request, request),
      wholeRatio: ratioOf(ours.whole, request),
    };
  });
  return {
    name: row.name,
    floor: costOf(floor),
    floorWhole: costOf(floorWhole),
    ours: costOf(ours),
    requestRatio: ratioOf(ours.request, floor.request),
    wholeRatio: ratioOf(ours.whole, floorWhole.whole),
    peers,
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
  rows: {
    readonly warm: readonly Row[];
    readonly cold: readonly Row[];
    readonly sizes: readonly SizeRow[];
    readonly bare: readonly BareFloor[];
  },
): HotFigures["costs"] {
  return {
    requests: meter.requests,
    lateBursts: meter.lateBursts,
    bare: rows.bare.map(({ name, floor }) => ({ name, cost: costOf(meter.costsOf(floor)) })),
    warm: rows.warm.map((row) => computeRow(meter, row)),
    cold: rows.cold.map((row) => computeRow(meter, row)),
    sizes: rows.sizes.map((row) => computeSizes(meter, row)),
  };
}
