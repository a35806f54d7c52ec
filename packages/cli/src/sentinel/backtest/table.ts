/** The CSV files of a backtest (pure). */
import type { DecidedAssessment } from "../../../../../src/sentinel/assessment.ts";
import { attackerKinds } from "../../../../../src/sentinel/weights.ts";
import { type Figures, likeliestKindOf } from "./figures.ts";
import type { PastLogin } from "./rows.ts";

/** A spreadsheet runs a cell that begins with one of these, so an apostrophe goes before it. */
const formulaStart = /^[=+\-@\t\r]/;

function writeCell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const text = formulaStart.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function writeLine(cells: readonly (string | number)[]): string {
  return `${cells.map(writeCell).join(",")}\r\n`;
}

export const sessionsHeader = writeLine([
  ...["line", "time", "user", "outcome", "label", "risk_score", "recommendation"],
  ...["kind", ...attackerKinds, "reasons"],
]);

export function writeSession(login: PastLogin, assessment: DecidedAssessment): string {
  const { line, at, user, outcome, label } = login;
  const { riskScore, recommendation, kinds, reasons } = assessment;
  return writeLine([
    ...[line, new Date(at).toISOString(), user, outcome, label ?? "", riskScore, recommendation],
    likeliestKindOf(assessment),
    ...attackerKinds.map((kind) => kinds?.[kind] ?? 0),
    reasons.map(({ signal, contribution }) => `${signal} ${contribution}`).join("; "),
  ]);
}

export function writeDays({ days }: Figures): string {
  const header = ["day", "real", "challenged", "denied", "fraud", "stopped"];
  const lines = [...days].map(([name, { real, challenged, denied, fraud, stopped, byKind }]) =>
    writeLine([
      ...[name, real, challenged, denied, fraud, stopped],
      ...attackerKinds.map((kind) => byKind[kind]),
    ]),
  );
  return [writeLine([...header, ...attackerKinds.map((kind) => `like_${kind}`)]), ...lines].join(
    "",
  );
}
