/** Renders plots as SVG (pure): one panel for each kind of attacker, one line for each model. */

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}
export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}
export interface Axis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
}
export interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly panels: readonly Panel[];
}

const size = 240;
const gap = { left: 56, top: 34, right: 26, bottom: 48 } as const;
const columns = 3;
const head = 64;
const maxPoints = 240;
/** Distinguishable on white and on black, and by their dashes without colours. */
const strokes = [
  { colour: "#8a8f98", dash: "2 3" },
  { colour: "#c77d0a", dash: "7 3" },
  { colour: "#2f8f5b", dash: "9 3 2 3" },
  { colour: "#3b82e0", dash: "" },
] as const;
const style = `text{font:12px system-ui,sans-serif;fill:#6e7781}.title{font-weight:600;font-size:13px}
.axis{stroke:#6e7781;fill:none}.grid{stroke:#6e7781;stroke-opacity:.25;fill:none}
.line{fill:none;stroke-width:2}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.axis{stroke:#9198a1}.grid{stroke:#9198a1}}`;

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function formatPercent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}

function renderText(x: number, y: number, content: string, more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escapeXml(content)}</text>`;
}

/** Leaves out points that are too close to each other to see. */
function thinPoints(points: Line["points"]): Line["points"] {
  const step = Math.ceil(points.length / maxPoints);
  return points.filter((_, index) => index % step === 0 || index === points.length - 1);
}

function renderPanel({ title, lines }: Panel, { x, y }: Plot, left: number, top: number): string {
  const across = (value: number) => left + ((value - x.from) / (x.to - x.from)) * size;
  const up = (value: number) => top + size - ((value - y.from) / (y.to - y.from)) * size;
  const grid = [
    ...x.ticks.map((tick) => `M${across(tick).toFixed(1)} ${top}v${size}`),
    ...y.ticks.map((tick) => `M${left} ${up(tick).toFixed(1)}h${size}`),
  ].join("");
  const labels = [
    ...x.ticks.map((tick) =>
      renderText(across(tick), top + size + 16, formatPercent(tick), 'text-anchor="middle"'),
    ),
    ...y.ticks.map((tick) =>
      renderText(left - 6, up(tick) + 4, formatPercent(tick), 'text-anchor="end"'),
    ),
    renderText(left + size / 2, top + size + 34, x.label, 'text-anchor="middle"'),
  ];
  const drawn = lines.map(({ points }, index) => {
    const { colour, dash } = strokes[index % strokes.length] ?? strokes[0];
    const path = thinPoints(points).map(
      ([at, value]) => `${(across(at) - left).toFixed(1)},${(up(value) - top).toFixed(1)}`,
    );
    return `<polyline class="line" stroke="${colour}" stroke-dasharray="${dash}" points="${path.join(" ")}"/>`;
  });
  return [
    renderText(left, top - 10, title, 'class="title"'),
    `<path class="grid" d="${grid}"/>`,
    `<rect class="axis" x="${left}" y="${top}" width="${size}" height="${size}"/>`,
    ...labels,
    // The inner SVG clips lines outside of the axes.
    `<svg x="${left}" y="${top}" width="${size}" height="${size}" overflow="hidden">`,
    `<title>${escapeXml(title)}</title>`,
    ...drawn,
    "</svg>",
  ].join("\n");
}

function renderLegend(names: readonly string[]): string {
  return names
    .map((name, index) => {
      const { colour, dash } = strokes[index % strokes.length] ?? strokes[0];
      const left = gap.left + index * 150;
      const line = `<path class="line" stroke="${colour}" stroke-dasharray="${dash}" d="M${left} 44h34"/>`;
      return line + renderText(left + 42, 48, name);
    })
    .join("\n");
}

export function renderSvg(plot: Plot): string {
  const width = columns * (size + gap.left + gap.right);
  const rows = Math.ceil(plot.panels.length / columns);
  const height = head + rows * (size + gap.top + gap.bottom);
  const panels = plot.panels.map((panel, index) => {
    const left = gap.left + (index % columns) * (size + gap.left + gap.right);
    const top = head + gap.top + Math.floor(index / columns) * (size + gap.top + gap.bottom);
    return renderPanel(panel, plot, left, top);
  });
  const names = plot.panels[0]?.lines.map(({ name }) => name) ?? [];
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(plot.title)}</title>`,
    `<style>${style}</style>`,
    renderText(gap.left, 22, `${plot.title} (${plot.y.label}, upwards)`, 'class="title"'),
    renderLegend(names),
    ...panels,
    "</svg>",
  ].join("\n")}\n`;
}
