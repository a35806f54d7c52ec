/** The bars of Sentinel 3, and the distance by which each is met or missed (pure). */
import { table } from "../../support/figures.ts";
import { type AttackerKind, attackerKinds } from "../generator/attackers.ts";
import { sentinelName } from "../models/sentinel.ts";
import { factorOf, maxFactor, measureReliability, minSessions } from "../reliability.ts";
import { type Columns, keyOf } from "../results.ts";
import { listWorse } from "./before-tables.ts";
import {
  attackerNames,
  experienceNames,
  formatFigure,
  formatPercent,
  formatSigned,
} from "./format.ts";
import type { KindResult } from "./kind-tables.ts";
import type { Comparison } from "./outcome.ts";
import { computeShipped, type FigureRecord } from "./records.ts";

/** They were set before Sentinel 3 was built, and stay as they are. */
const bars = {
  auc: { naive: 0.985, vpn: 0.97, targeted: 0.95 },
  recallAt1Percent: { naive: 0.591, vpn: 0.509, targeted: 0.285 },
  realChallenged: 0.012,
  fewLogins: 5,
} as const;
const barKinds = ["naive", "vpn", "targeted"] as const;
const recallAt1Percent = 1;

type Row = readonly [what: string, found: string, bar: string, verdict: string, trained?: string];

/** The best figure of the models that were trained on labels. */
function findBest(trained: readonly FigureRecord[], of: (record: FigureRecord) => number): number {
  return trained.length === 0 ? Number.NaN : Math.max(...trained.map(of));
}

function judgeAtLeast(what: string, found: number, bar: number, trained: number): Row {
  const verdict = `${found >= bar ? "met" : "**missed**"}, ${formatSigned(found - bar)}`;
  return [what, formatFigure(found), `≥ ${bar}`, verdict, formatFigure(trained)];
}

function createAttackerRows(
  comparisons: readonly Comparison[],
  trained: readonly FigureRecord[],
): Row[] {
  const outcomeOf = (kind: AttackerKind) =>
    comparisons
      .find((found) => found.kind === kind)
      ?.outcomes.find(({ model }) => model === sentinelName);
  return [
    ...barKinds.map((kind) =>
      judgeAtLeast(
        `recall at 1 %, ${attackerNames[kind]}`,
        outcomeOf(kind)?.recall[recallAt1Percent] ?? Number.NaN,
        bars.recallAt1Percent[kind],
        findBest(trained, ({ attackers }) => attackers[kind]?.recall[recallAt1Percent] ?? 0),
      ),
    ),
    ...barKinds.map((kind) =>
      judgeAtLeast(
        `AUC, ${attackerNames[kind]}`,
        outcomeOf(kind)?.auc ?? Number.NaN,
        bars.auc[kind],
        findBest(trained, ({ attackers }) => attackers[kind]?.auc ?? 0),
      ),
    ),
  ];
}

function createFreemanRow(
  { outcomes }: KindResult,
  what: string,
  of: (outcome: KindResult["outcomes"][number]) => number,
): Row {
  const behind = outcomes
    .filter((outcome) => of(outcome) <= outcome.freeman)
    .map((outcome) => {
      const short = formatSigned(of(outcome) - outcome.freeman);
      return `${attackerNames[outcome.kind]} at ${outcome.share * 100} % (${short})`;
    });
  const ahead = outcomes.length - behind.length;
  const verdict = behind.length === 0 ? "met" : `**missed**: ${behind.join(", ")}`;
  return [what, `${ahead} of ${outcomes.length}`, "all", verdict];
}

/** Real logins of users with few logins that were denied, at any time of the test period. */
function createDeniedRow(columns: Columns): Row {
  let [denied, logins] = [0, 0];
  for (const protocol of ["operation", "first"] as const) {
    const column = columns[keyOf(protocol, "test", "real")];
    for (const [index, recommendation] of (column?.recommendations ?? []).entries()) {
      if ((column?.logins[index] ?? 0) >= bars.fewLogins) continue;
      logins += 1;
      if (recommendation === "deny") denied += 1;
    }
  }
  const verdict =
    denied === 0 ? "met" : `**missed**, ${formatPercent(denied / logins)} of ${logins}`;
  return [`real logins denied below ${bars.fewLogins} logins`, String(denied), "0", verdict];
}

function createReliabilityRow(columns: Columns): Row {
  const judged = measureReliability(columns).filter(({ sessions }) => sessions >= minSessions);
  const wrong = judged.filter((bin) => factorOf(bin) > maxFactor);
  const names = wrong.map((bin) => `${bin.from} to ${bin.to} (${factorOf(bin).toFixed(2)})`);
  const worst = Math.max(...judged.map(factorOf));
  const verdict = wrong.length === 0 ? "met" : `**missed**: ${names.join(", ")}`;
  return ["stated risk against observed share", worst.toFixed(2), `≤ ${maxFactor}`, verdict];
}

function createExperienceRow(dataSets: readonly ComparedData[]): Row {
  const what = "worst experiences that are worse than with sentinel-2";
  const worse = dataSets.flatMap(({ columns, before, suffix }) =>
    before === undefined
      ? []
      : listWorse(columns, before).map((kind) => `${experienceNames[kind]}${suffix}`),
  );
  if (dataSets.every(({ before }) => before === undefined)) {
    return [what, "–", "0", "no figures of sentinel-2 for these logins"];
  }
  const verdict = worse.length === 0 ? "met" : `**missed**: ${worse.join("; ")}`;
  return [what, String(worse.length), "0", verdict];
}

function createExtendRow(comparisons: readonly Comparison[]): Row {
  const behind = comparisons.filter(({ leads }) => {
    const lead = leads.find(({ over }) => over === "EXTEND");
    return lead === undefined || lead.aucInterval[0] <= 0;
  });
  const names = behind.map(({ kind }) => attackerNames[kind]);
  const ahead = comparisons.length - behind.length;
  const verdict = names.length === 0 ? "met" : `**missed**: ${names.join(", ")}`;
  return ["AUC ahead of EXTEND", `${ahead} of ${attackerKinds.length} attackers`, "all", verdict];
}

/** One data set with the figures of sentinel-2 on it. */
export interface ComparedData {
  readonly columns: Columns;
  readonly before: FigureRecord | undefined;
  /** Tells the data set from the matched data. */
  readonly suffix: string;
}

export function renderBarTable(
  columns: Columns,
  comparisons: readonly Comparison[],
  kinds: KindResult,
  dataSets: readonly ComparedData[],
  trained: readonly FigureRecord[],
): string {
  const challenged = computeShipped(columns, "matched", "real")?.challenged ?? Number.NaN;
  const isSpared = challenged <= bars.realChallenged;
  const rows: readonly Row[] = [
    ...createAttackerRows(comparisons, trained),
    createFreemanRow(
      kinds,
      "ahead of the Freeman sum, one policy by kinds",
      ({ policy }) => policy,
    ),
    createFreemanRow(kinds, "the same, one threshold for each attacker", ({ alone }) => alone),
    [
      "real logins challenged at the defaults",
      formatPercent(challenged),
      `≤ ${formatPercent(bars.realChallenged)}`,
      isSpared ? "met" : `**missed**, ${formatSigned(challenged - bars.realChallenged)}`,
    ],
    createDeniedRow(columns),
    createReliabilityRow(columns),
    createExperienceRow(dataSets),
    createExtendRow(comparisons),
  ];
  const complete = rows.map(([what, found, bar, verdict, best = ""]) => {
    return [what, found, bar, verdict, best];
  });
  return table(["what", "found", "bar", "", "best model trained on labels"], complete);
}
