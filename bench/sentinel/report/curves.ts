/** Draws the two plots of the evaluation (pure). */
import { attackerKinds } from "../generator/attackers.ts";
import { rocOf } from "../metrics.ts";
import { type Columns, keyOf } from "../results.ts";
import { attackerNames } from "./format.ts";
import { type Axis, type Line, renderSvg } from "./plot.ts";

const shownModels = ["SIMPLE", "EXTEND", "Freeman sum", "Sentinel"];
const whole = { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1] };

function createPanels(
  columns: Columns,
  pointsOf: (real: number, attacks: number) => [number, number],
) {
  const real = columns[keyOf("matched", "test", "real")];
  return attackerKinds.map((kind) => {
    const attacks = columns[keyOf("matched", "test", kind)];
    const lines = shownModels.map((name): Line => {
      const roc = rocOf(real?.scores[name] ?? [], attacks?.scores[name] ?? []);
      return { name, points: roc.map((point) => pointsOf(point.real, point.attacks)) };
    });
    return { title: attackerNames[kind], lines };
  });
}

export function renderRocPlot(columns: Columns): string {
  const x: Axis = { label: "real logins challenged", ...whole };
  const y: Axis = { label: "attacks caught", ...whole };
  const panels = createPanels(columns, (real, attacks) => [real, attacks]);
  return renderSvg({ title: "Attacks caught for real logins challenged", x, y, panels });
}

export function renderChallengePlot(columns: Columns): string {
  const x: Axis = { label: "attacks caught", from: 0.5, to: 1, ticks: [0.5, 0.7, 0.9, 1] };
  const y: Axis = { label: "real logins challenged", ...whole };
  const panels = createPanels(columns, (real, attacks) => [attacks, real]);
  return renderSvg({ title: "The price of catching attacks", x, y, panels });
}
