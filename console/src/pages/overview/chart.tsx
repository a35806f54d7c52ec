/** A chart of one number over time, beside that of a week before. */
import { useEffect, useRef } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Series } from "./series.ts";

interface ChartProps {
  readonly series: Series;
  readonly step: "hour" | "day";
  /** What it shows, in words. */
  readonly label: string;
}

const height = 120;
const dayFormat = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });
const hourFormat = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit" });

/** Colours as the theme has them at this moment. A canvas does not know the properties of CSS. */
function readColour(place: HTMLElement, part: string): string {
  const probe = place.querySelector(`.chart-${part}`);
  return probe === null ? "gray" : getComputedStyle(probe).color;
}

function createOptions(place: HTMLElement, step: ChartProps["step"]): UPlot.Options {
  const format = step === "hour" ? hourFormat : dayFormat;
  const colour = (part: string) => () => readColour(place, part);
  const grid = { stroke: colour("grid"), width: 1 };
  return {
    width: place.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      {
        stroke: colour("text"),
        grid: { show: false },
        ticks: { show: false },
        size: 26,
        space: 70,
        values: (_, times) => times.map((time) => format.format(time * 1000)),
      },
      {
        stroke: colour("text"),
        grid,
        ticks: { show: false },
        size: 42,
        space: 32,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000, 100_000, 1_000_000],
      },
    ],
    series: [
      {},
      { stroke: colour("before"), width: 1.5, dash: [4, 4], points: { show: false } },
      { stroke: colour("now"), width: 2, points: { show: false } },
    ],
  };
}

export function Chart({ series, step, label }: ChartProps) {
  const placeRef = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const place = placeRef.current;
    if (place === null) return;
    const seconds = series.times.map((time) => time / 1000);
    const data: UPlot.AlignedData = [seconds, [...series.before], [...series.now]];
    const plot = new UPlot(createOptions(place, step), data, place);
    const redraw = () => plot.redraw(false, true);
    const sizes = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height }));
    sizes.observe(place);
    // The reader may choose another theme, or the system may change it.
    const themes = new MutationObserver(redraw);
    themes.observe(document.documentElement, { attributeFilter: ["style"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", redraw);
    return () => {
      sizes.disconnect();
      themes.disconnect();
      system.removeEventListener("change", redraw);
      plot.destroy();
    };
  }, [series, step]);
  return (
    <div ref={placeRef} className="chart" role="img" aria-label={label}>
      <span className="chart-now" />
      <span className="chart-before" />
      <span className="chart-text" />
      <span className="chart-grid" />
    </div>
  );
}
