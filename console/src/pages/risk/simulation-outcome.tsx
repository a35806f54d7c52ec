import type { Simulation } from "@edge-idp/sdk";
import { type Column, DataTable } from "../../parts/data-table.tsx";
import { formatScore } from "../../parts/score-format.ts";
import { Time } from "../../parts/time.tsx";
import { texts } from "../../texts/en.ts";
import { Recommendation } from "./recommendation.tsx";

const words = texts.risk;
const recommendations = ["allow", "challenge", "deny"] as const;

type Changed = Simulation["changed"][number];

const columns: readonly Column<Changed>[] = [
  { id: "at", header: words.at, cell: ({ at }) => <Time at={at} /> },
  {
    id: "score",
    header: words.score,
    isNumber: true,
    cell: ({ after }) => formatScore(after.risk_score),
  },
  {
    id: "before",
    header: words.before,
    cell: ({ before }) => <Recommendation value={before.recommendation} />,
  },
  {
    id: "after",
    header: words.after,
    cell: ({ after }) => <Recommendation value={after.recommendation} />,
  },
];

/** How the recommendations would differ, and for which sessions. */
export function SimulationOutcome({ simulation }: { readonly simulation: Simulation }) {
  const { replayed, other_model, recommendations: counts, changed, has_more } = simulation;
  return (
    <>
      <p className="faint">
        {words.simulated(replayed)}
        {other_model === 0 ? null : ` · ${words.otherModel(other_model)}`}
        {has_more ? ` · ${words.more}` : null}
      </p>
      <div className="table-place">
        <table className="table">
          <caption className="hidden-label">{words.simulated(replayed)}</caption>
          <thead>
            <tr>
              <th scope="col">{words.recommendation}</th>
              <th scope="col" className="number">
                {words.before}
              </th>
              <th scope="col" className="number">
                {words.after}
              </th>
            </tr>
          </thead>
          <tbody>
            {recommendations.map((one) => (
              <tr key={one}>
                <td data-label={words.recommendation}>
                  <Recommendation value={one} />
                </td>
                <td data-label={words.before} className="number">
                  {counts.before[one] ?? 0}
                </td>
                <td data-label={words.after} className="number">
                  {counts.after[one] ?? 0}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p role="status">
        <strong>{words.changed(changed.length)}</strong>
      </p>
      {changed.length === 0 ? null : (
        <DataTable
          caption={words.changedList}
          columns={columns}
          rows={changed}
          rowId={({ assessment_id }) => assessment_id}
        />
      )}
    </>
  );
}
