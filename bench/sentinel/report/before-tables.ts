/** Tables that compare Sentinel with its earlier model on the same logins, and with trained models (pure). */
import { table } from "../../support/figures.ts";
import { factorOf, maxFactor, measureReliability, minSessions } from "../reliability.ts";
import type { Columns } from "../results.ts";
import { type ExperienceKind, experienceKinds } from "../trial.ts";
import { attackerNames, experienceNames, formatFigure, formatPercent } from "./format.ts";
import type { Comparison } from "./outcome.ts";
import { computeShipped, type FigureRecord } from "./records.ts";

/** The positions of 0.1, 1, 5 and 10 % in `equalShares`. */
export const barShares = [0, 1, 2, 3] as const;

function formatRecalls(recall: readonly number[] | undefined): string {
  return barShares.map((index) => formatPercent(recall?.[index]).replace(" %", "")).join(" / ");
}

/** Every attacker with sentinel-2, the present model, the Freeman sum and the trained models. */
export function renderBeforeTable(
  comparisons: readonly Comparison[],
  sentinel: string,
  before: FigureRecord | undefined,
  trained: readonly FigureRecord[],
): string {
  const rows = comparisons.map(({ kind, outcomes }) => {
    const cell = (found: { auc: number; recall: readonly number[] } | undefined) =>
      found === undefined ? "–" : `${formatFigure(found.auc)}; ${formatRecalls(found.recall)}`;
    const own = outcomes.find(({ model }) => model === sentinel);
    return [
      attackerNames[kind],
      cell(outcomes.find(({ model }) => model === "Freeman sum")),
      cell(before?.attackers[kind]),
      `**${cell(own)}**`,
      ...trained.map((record) => cell(record.attackers[kind])),
    ];
  });
  const names = trained.map(({ model }) => model);
  return table(["attacker", "Freeman sum", "sentinel-2", "Sentinel", ...names], rows);
}

function formatBoth(found: { challenged: number; denied: number } | undefined): string {
  if (found === undefined) return "–";
  return `${formatPercent(found.challenged)} / ${formatPercent(found.denied)}`;
}

/** What a real user gets on the worst days. */
export function renderExperienceTable(columns: Columns, before: FigureRecord | undefined): string {
  const rows = [
    ...experienceKinds.flatMap((kind) => {
      const now = computeShipped(columns, "experience", kind);
      if (now === undefined) return [];
      const earlier = before?.experiences?.[kind];
      return [[experienceNames[kind], String(now.logins), earlier, now] as const];
    }),
  ].map(([name, logins, earlier, now]) => {
    const isWorse =
      earlier !== undefined && (now.challenged > earlier.challenged || now.denied > earlier.denied);
    const verdict = earlier === undefined ? "–" : isWorse ? "**worse**" : "not worse";
    return [name, logins, formatBoth(earlier), formatBoth(now), verdict];
  });
  return table(["what is new", "logins", "sentinel-2", "Sentinel", ""], rows);
}

/** The kinds of experience that got worse. */
export function listWorse(columns: Columns, before: FigureRecord): ExperienceKind[] {
  return experienceKinds.filter((kind) => {
    const now = computeShipped(columns, "experience", kind);
    const earlier = before.experiences?.[kind];
    if (now === undefined || earlier === undefined) return false;
    return now.challenged > earlier.challenged || now.denied > earlier.denied;
  });
}

export function renderReliabilityTable(columns: Columns, before: FigureRecord | undefined): string {
  const rows = measureReliability(columns).map((bin, index) => {
    const factor = factorOf(bin);
    const isJudged = bin.sessions >= minSessions;
    const shown = Number.isFinite(factor) ? factor.toFixed(2) : "–";
    const earlier = before?.reliability?.[index];
    return [
      `${bin.from} to ${bin.to}`,
      String(bin.sessions),
      formatFigure(bin.stated),
      formatFigure(bin.observed),
      !isJudged ? `(${shown})` : factor > maxFactor ? `**${shown}**` : shown,
      earlier?.stated === undefined || earlier.stated === null || earlier.observed === null
        ? "–"
        : `${formatFigure(earlier.stated)} / ${formatFigure(earlier.observed)}`,
    ];
  });
  const head = ["stated risk", "sessions", "mean stated", "observed", "factor", "sentinel-2"];
  return table(head, rows);
}
