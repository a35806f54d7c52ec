/** Formats the figures of the hot routes as tables. */
import { table, whole } from "../support/figures.ts";
import type { HotFigures, RowFigures, SizeCost, SizeFigures, Spread } from "./figures.ts";
import type { Size } from "./stage.ts";

function formatMicroseconds({ median, lowest, highest }: Spread): string {
  return `${whole(median)} µs (${whole(lowest)}–${whole(highest)})`;
}

function formatRatio({ median, lowest, highest }: Spread): string {
  return `**${median.toFixed(2)} ×** (${lowest.toFixed(2)}–${highest.toFixed(2)})`;
}

function formatRequestTable(rows: readonly RowFigures[]): string {
  return table(
    ["request", "ours", "floor", "ours / floor"],
    rows.map((row) => [
      row.name,
      formatMicroseconds(row.ours.request),
      formatMicroseconds(row.floor.request),
      formatRatio(row.requestRatio),
    ]),
  );
}

function formatDeliveryTable(rows: readonly RowFigures[]): string {
  return table(
    ["request with delivery", "ours", "floor", "ours / floor"],
    rows.map((row) => [
      row.name,
      formatMicroseconds(row.ours.whole),
      formatMicroseconds(row.floorWhole.whole),
      formatRatio(row.wholeRatio),
    ]),
  );
}

function formatPeerTable(rows: readonly RowFigures[]): string {
  return table(
    ["request", "peer", "its cost", "ours / peer", "ours with delivery / peer"],
    rows.flatMap(({ name, peers }) =>
      peers.map((peer) => [
        name,
        peer.name,
        formatMicroseconds(peer.cost),
        formatRatio(peer.requestRatio),
        formatRatio(peer.wholeRatio),
      ]),
    ),
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

function formatBareTable({ costs, startup }: HotFigures): string {
  const { bytes, gzipBytes, starts, ours, hello } = startup;
  const start = ({ wallMs, processorMs }: typeof ours) =>
    `${wallMs.toFixed(1)} ms, ${processorMs.toFixed(1)} ms of processor time`;
  return table(
    ["what", "figure"],
    [
      ...costs.bare.map(({ name, cost }) => [`floor: ${name}`, formatMicroseconds(cost.request)]),
      ["bundle", `${whole(bytes)} bytes, ${whole(gzipBytes)} after gzip -9`],
      [`process start to first answer, ours (median of ${starts})`, start(ours)],
      [`process start to first answer, a Worker that says hello`, start(hello)],
    ],
  );
}

export function formatHotReport(figures: HotFigures): string {
  const { costs, sizes, rounds, isQuick } = figures;
  const rows = [...costs.warm, ...costs.cold];
  const late =
    costs.lateBursts === 0
      ? ""
      : ` ${costs.lateBursts} bursts lasted so long that they include deliveries: the figures of those requests are too high.`;
  return [
    `${isQuick ? "A quick run with rough figures. " : ""}${figures.at}. ${figures.machine}. ${figures.versions}.`,
    `Processor time of the server process a request, median of ${rounds} rounds (lowest–highest); ${whole(costs.requests)} requests were measured.${late}`,
    formatRequestTable(rows),
    formatDeliveryTable(rows),
    formatPeerTable(costs.warm),
    formatSizeTable(costs.sizes, sizes),
    formatBareTable(figures),
    "",
  ].join("\n\n");
}
