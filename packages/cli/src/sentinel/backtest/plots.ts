/** Plots of a backtest as SVG (pure): bars by day, and lines by threshold. */
import { escapeMarkup } from "./markup.ts";

const size = { width: 720, height: 220, left: 56, top: 28, bottom: 40, right: 16 } as const;
const plotWidth = size.width - size.left - size.right;
const plotHeight = size.height - size.top - size.bottom;
/** Distinguishable on white and on black. */
export const colours = ["#3b82e0", "#c77d0a", "#2f8f5b", "#b0489c", "#c0392b", "#8a8f98"] as const;

function colourOf(index: number): string {
  return colours[index % colours.length] ?? colours[0];
}

function writeText(x: number, y: number, text: string, anchor = "start"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escapeMarkup(text)}</text>`;
}

function upTo(max: number): (value: number) => number {
  return (value) => size.top + plotHeight - (max === 0 ? 0 : (value / max) * plotHeight);
}

function frame(title: string, parts: readonly string[], names: readonly string[]): string {
  const legend = names.map((name, index) => {
    const left = size.left + index * 105;
    return `<rect x="${left}" y="8" width="10" height="10" fill="${colourOf(index)}"/>${writeText(left + 14, 17, name)}`;
  });
  return [
    `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeMarkup(title)}">`,
    `<title>${escapeMarkup(title)}</title>`,
    ...legend,
    ...parts,
    `<path class="axis" d="M${size.left} ${size.top}v${plotHeight}h${plotWidth}"/>`,
    "</svg>",
  ].join("\n");
}

function labelHeights(max: number, show: (value: number) => string): string[] {
  const up = upTo(max);
  return [0, max / 2, max].map((value) =>
    writeText(size.left - 6, up(value) + 4, show(value), "end"),
  );
}

export interface BarPlot {
  readonly title: string;
  readonly series: readonly string[];
  /** A bar for each label, with a value for each series. */
  readonly bars: readonly { readonly label: string; readonly values: readonly number[] }[];
}

/** Neighbouring days are added up if there are more than fit. */
const maxBars = 180;

function joinBars(bars: BarPlot["bars"]): BarPlot["bars"] {
  const step = Math.ceil(bars.length / maxBars);
  return bars.flatMap((bar, index) => {
    if (index % step !== 0) return [];
    const together = bars.slice(index, index + step);
    const values = bar.values.map((_, series) =>
      together.reduce((sum, one) => sum + (one.values[series] ?? 0), 0),
    );
    return [{ label: bar.label, values }];
  });
}

export function renderBars({ title, series, bars }: BarPlot): string {
  const joined = joinBars(bars);
  const totals = joined.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const max = Math.max(1, ...totals);
  const up = upTo(max);
  const step = plotWidth / Math.max(1, joined.length);
  const drawn = joined.flatMap(({ label, values }, index) => {
    let below = 0;
    return values.map((value, at) => {
      const [bottom, top] = [up(below), up(below + value)];
      below += value;
      const left = size.left + index * step;
      const name = escapeMarkup(`${label}: ${series[at]} ${value}`);
      return `<rect x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${Math.max(0.5, step - 1).toFixed(1)}" height="${(bottom - top).toFixed(1)}" fill="${colourOf(at)}"><title>${name}</title></rect>`;
    });
  });
  const ends = [joined[0], joined.length > 1 ? joined.at(-1) : undefined].flatMap((bar, index) =>
    bar === undefined
      ? []
      : [
          writeText(
            index === 0 ? size.left : size.left + plotWidth,
            size.height - 18,
            bar.label,
            index === 0 ? "start" : "end",
          ),
        ],
  );
  const heights = labelHeights(max, (value) => String(Math.round(value)));
  return frame(title, [...drawn, ...ends, ...heights], series);
}

export interface LinePlot {
  readonly title: string;
  readonly lines: readonly {
    readonly name: string;
    /** Shares by threshold; both are 0 to 1. */
    readonly points: readonly (readonly [threshold: number, share: number])[];
  }[];
}

export function renderLines({ title, lines }: LinePlot): string {
  const shares = lines.flatMap(({ points }) => points.map(([, share]) => share));
  const max = Math.max(0.01, ...shares);
  const up = upTo(max);
  const across = (threshold: number) => size.left + threshold * plotWidth;
  const drawn = lines.map(({ name, points }, index) => {
    const path = points.map(([x, y]) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ");
    return `<polyline class="line" stroke="${colourOf(index)}" points="${path}"><title>${escapeMarkup(name)}</title></polyline>`;
  });
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].map((threshold) =>
    writeText(across(threshold), size.height - 18, String(threshold), "middle"),
  );
  const heights = labelHeights(max, (value) => `${(value * 100).toFixed(1)} %`);
  return frame(
    title,
    [...drawn, ...ticks, ...heights],
    lines.map(({ name }) => name),
  );
}
