import { Section } from "../../parts/section.tsx";
import { texts } from "../../texts/en.ts";
import { countScores } from "./waterfall.ts";

const bins = 20;
const riskyFrom = 0.5;

/** How many sessions have which score. */
export function Distribution({ scores }: { readonly scores: readonly number[] }) {
  const counts = countScores(scores, bins);
  const highest = Math.max(1, ...counts);
  const risky = scores.filter((score) => score >= riskyFrom).length;
  const summary = texts.risk.distributionSummary(scores.length, risky);
  return (
    <Section title={texts.risk.distribution} actions={<span className="faint">{summary}</span>}>
      <div className="histogram" role="img" aria-label={summary}>
        {counts.map((count, index) => {
          const from = index / bins;
          const label = `${from.toFixed(2)}–${((index + 1) / bins).toFixed(2)}: ${texts.risk.sessions(count)}`;
          return (
            <div key={from} className="histogram-bin" title={label}>
              <div
                className={from >= riskyFrom ? "histogram-bar risky" : "histogram-bar"}
                style={{ height: `${(count / highest) * 100}%` }}
              />
            </div>
          );
        })}
      </div>
      <div className="histogram-scale" aria-hidden="true">
        <span>0</span>
        <span>0.5</span>
        <span>1</span>
      </div>
    </Section>
  );
}
