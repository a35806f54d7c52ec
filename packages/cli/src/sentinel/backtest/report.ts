/** The report of a backtest as one HTML file without anything from another host (pure). */
import type { RiskPolicy } from "../../../../../src/sentinel/assessment.ts";
import { attackerKinds, model } from "../../../../../src/sentinel/weights.ts";
import type { Distribution, Figures, WorstLogin } from "./figures.ts";
import { escapeMarkup } from "./markup.ts";
import { renderBars, renderLines } from "./plots.ts";

const scoreThresholds = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];
const kindThresholds = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];
const plotSteps = Array.from({ length: 101 }, (_, index) => index / 100);

const style = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .75rem;border-bottom:1px solid #8886;text-align:right}
th:first-child,td:first-child,.text td,.text th{text-align:left;vertical-align:top}
td{overflow-wrap:anywhere}.text td{white-space:pre-line}svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:currentColor}
.axis{fill:none;stroke:currentColor;stroke-opacity:.5}.line{fill:none;stroke-width:2}`;

function formatPercent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function renderTable(
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  className = "",
): string {
  const cells = (tag: string, values: readonly (string | number)[]) =>
    `<tr>${values.map((value) => `<${tag}>${escapeMarkup(String(value))}</${tag}>`).join("")}</tr>`;
  const body = rows.map((row) => cells("td", row)).join("\n");
  return `<table class="${className}"><thead>${cells("th", header)}</thead><tbody>\n${body}\n</tbody></table>`;
}

function pointsOf(distribution: Distribution) {
  return plotSteps.map((threshold) => [threshold, distribution.shareFrom(threshold)] as const);
}

function renderThresholds({ real, fraud }: Figures): string {
  const hasFraud = fraud.score.all > 0;
  const rows = scoreThresholds.map((threshold) => [
    ...[threshold, real.score.countFrom(threshold), formatPercent(real.score.shareFrom(threshold))],
    ...(hasFraud ? [formatPercent(fraud.score.shareFrom(threshold))] : []),
  ]);
  const header = ["Score from", "Real logins", "Share of real logins"];
  const lines = [
    { name: "real logins", points: pointsOf(real.score) },
    ...(hasFraud ? [{ name: "fraud", points: pointsOf(fraud.score) }] : []),
  ];
  return [
    renderLines({ title: "Share of logins with at least a score", lines }),
    renderTable([...header, ...(hasFraud ? ["Share of fraud"] : [])], rows),
  ].join("\n");
}

function renderKinds({ real, fraud }: Figures): string {
  const lines = attackerKinds.map((name) => ({ name, points: pointsOf(real.kinds[name]) }));
  const hasFraud = fraud.score.all > 0;
  const cell = (kind: (typeof attackerKinds)[number], threshold: number) => {
    const ofReal = formatPercent(real.kinds[kind].shareFrom(threshold));
    return hasFraud
      ? `${ofReal} / ${formatPercent(fraud.kinds[kind].shareFrom(threshold))}`
      : ofReal;
  };
  return [
    renderLines({ title: "Share of real logins with at least a probability of a kind", lines }),
    renderTable(
      ["Probability from", ...attackerKinds],
      kindThresholds.map((threshold) => [
        threshold,
        ...attackerKinds.map((kind) => cell(kind, threshold)),
      ]),
    ),
  ].join("\n");
}

function renderDays({ days }: Figures): string {
  const all = [...days];
  return [
    renderBars({
      title: "Real logins that would have been challenged or denied, by day",
      series: ["challenged", "denied"],
      bars: all.map(([label, { challenged, denied }]) => ({ label, values: [challenged, denied] })),
    }),
    renderBars({
      title: "The same by the kind of attacker that they looked most like",
      series: attackerKinds,
      bars: all.map(([label, { byKind }]) => ({
        label,
        values: attackerKinds.map((kind) => byKind[kind]),
      })),
    }),
  ].join("\n");
}

function renderWorst(worst: readonly WorstLogin[]): string {
  const rows = worst.map(({ line, at, user, score, recommendation, kind, reasons }) => [
    ...[line, new Date(at).toISOString(), user, score, recommendation, kind],
    reasons
      .map(({ contribution, detail }) => `${contribution > 0 ? "+" : ""}${contribution} ${detail}`)
      .join("\n"),
  ]);
  const header = ["Line", "Time", "User", "Score", "Recommendation", "Most like", "Reasons"];
  return renderTable(header, rows, "text");
}

function renderTotals(figures: Figures): string {
  const { real, fraud, failures, invalid, challengedUsers } = figures;
  const { challenge, deny } = real.recommendations;
  const stopped = fraud.recommendations.challenge + fraud.recommendations.deny;
  return renderTable(
    ["", "Logins", "Share"],
    [
      ["Real logins", real.score.all, ""],
      ["… challenged", challenge, formatPercent(challenge / Math.max(1, real.score.all))],
      ["… denied", deny, formatPercent(deny / Math.max(1, real.score.all))],
      ["Users challenged or denied at least once", challengedUsers.size, ""],
      ["Labelled as fraud", fraud.score.all, ""],
      ["… challenged or denied", stopped, formatPercent(stopped / Math.max(1, fraud.score.all))],
      ["Not let in at the time (in no other figure)", failures, ""],
      ["Invalid lines, left out", invalid, ""],
    ],
  );
}

function describePolicy({ challengeAt, denyAt, signalsOff, kinds = {} }: RiskPolicy): string {
  const byKind = attackerKinds.flatMap((kind) => {
    const { challengeAt: challenge, denyAt: deny } = kinds[kind] ?? {};
    return [
      ...(challenge === undefined ? [] : [`challenge ${kind} from ${challenge}`]),
      ...(deny === undefined ? [] : [`deny ${kind} from ${deny}`]),
    ];
  });
  return [
    `challenge from ${challengeAt}`,
    `deny from ${denyAt}`,
    ...byKind,
    ...(signalsOff.length === 0 ? [] : [`without ${signalsOff.join(", ")}`]),
  ].join(", ");
}

/** @param degraded the kinds of network data that were missing */
export function renderReport(
  figures: Figures,
  policy: RiskPolicy,
  file: string,
  degraded: readonly string[],
): string {
  const missing =
    degraded.length === 0
      ? ""
      : `<p>Without network data of these kinds, which would add evidence: ${escapeMarkup(degraded.join(", "))}.</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Sentinel backtest</title>
<style>${style}</style>
</head>
<body>
<h1>Sentinel backtest</h1>
<p>${escapeMarkup(file)} under the model ${model}: ${escapeMarkup(describePolicy(policy))}. The report names users, and no address and no agent.</p>
${missing}
${renderTotals(figures)}
<h2>By day</h2>
${renderDays(figures)}
<h2>By threshold of the score</h2>
${renderThresholds(figures)}
<h2>By threshold of a kind</h2>
<p>A login that reaches a threshold of <code>sentinel.kinds</code> is challenged or denied whatever its score is. ${figures.fraud.score.all > 0 ? "Real logins / fraud." : "Real logins."}</p>
${renderKinds(figures)}
<h2>The worst for real users</h2>
<p>The highest score of each user, not counting logins labelled as fraud.</p>
${renderWorst(figures.worst)}
</body>
</html>
`;
}
