/** Formats the figures of the hot routes as tables. */
import { table, whole } from "../support/figures.ts";
import type { ComparisonFigures, HotFigures, SizeCost, SizeFigures, Spread } from "./figures.ts";
import type { Size } from "./stage.ts";

function formatMicroseconds({ median, lowest, highest }: Spread): string {
  return `${whole(median)} µs (${whole(lowest)}–${whole(highest)})`;
}

function formatRatio({ median, lowest, highest }: Spread): string {
  return `**${median.toFixed(2)} ×** (${lowest.toFixed(2)}–${highest.toFixed(2)})`;
}

function formatBar(bar: string, isMet: boolean): string {
  return `${bar}: ${isMet ? "met" : "**missed**"}`;
}

function formatComparisons(
  head: string,
  otherHead: string,
  rows: readonly ComparisonFigures[],
): string {
  return table(
    [head, "ours", otherHead, "its cost", "ratio", "bar"],
    rows.map(({ name, ours, otherName, other, ratio, maxRatio }) => [
      name,
      formatMicroseconds(ours),
      otherName,
      formatMicroseconds(other),
      formatRatio(ratio),
      maxRatio === undefined ? "" : formatBar(`≤ ${maxRatio} ×`, ratio.median <= maxRatio),
    ]),
  );
}

function formatSize({ people, events }: Size): string {
  const identities = people === 1 ? "1 identity" : `${whole(people)} identities`;
  return `${identities}, ${whole(events)} events`;
}

function formatSizeTable(rows: readonly SizeFigures[], sizes: readonly Size[]): string {
  const cells = (costs: readonly SizeCost[]) =>
    costs.map(({ cost, ratio }, n) =>
      n === 0 ? formatMicroseconds(cost) : `${formatMicroseconds(cost)}, ${formatRatio(ratio)}`,
    );
  return table(
    ["one user alone", ...sizes.map(formatSize)],
    rows.flatMap(({ name, request, whole: all }) => [
      [name, ...cells(request)],
      ...(all === undefined ? [] : [[`${name}, with delivery`, ...cells(all)]]),
    ]),
  );
}

function formatAloneTable({ costs, startup }: HotFigures): string {
  const { bytes, gzipBytes, starts, ours, hello } = startup;
  const start = ({ wallMs, processorMs }: typeof ours) =>
    `${wallMs.toFixed(1)} ms, ${processorMs.toFixed(1)} ms of processor time`;
  return table(
    ["what", "figure", "bar"],
    [
      ...costs.alone.map(({ name, cost, maxMicroseconds: max }) => [
        name,
        formatMicroseconds(cost),
        max === undefined ? "" : formatBar(`≤ ${whole(max)} µs`, cost.median <= max),
      ]),
      ["bundle", `${whole(bytes)} bytes, ${whole(gzipBytes)} after gzip -9`, ""],
      [`process start to first answer, ours (median of ${starts})`, start(ours), ""],
      ["process start to first answer, a Worker that says hello", start(hello), ""],
    ],
  );
}

export function formatHotReport(figures: HotFigures): string {
  const { costs, measured, sizes, rounds, seed, isQuick } = figures;
  const late =
    measured.lateBursts === 0
      ? ""
      : ` ${measured.lateBursts} bursts lasted so long that they include deliveries: the figures of those requests are too high.`;
  return [
    `${isQuick ? "A quick run with rough figures. " : ""}${figures.at.slice(0, 10)}. ${figures.machine}. ${figures.versions}.`,
    `Figures are the server process's processor time for one request, as the median of ${rounds} rounds (lowest–highest); ${whole(measured.requests)} requests were measured, in an order drawn from the seed \`${seed}\`. A ratio is computed within each round.${late}`,
    formatComparisons("request", "floor", costs.requests),
    formatComparisons("request with delivery", "floor", costs.delivered),
    formatComparisons("request", "peer", costs.peers),
    formatSizeTable(costs.sizes, sizes),
    formatAloneTable(figures),
    "",
  ].join("\n\n");
}
