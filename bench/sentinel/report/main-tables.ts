/** The tables that compare Sentinel with the other models (pure). */
import { table } from "../../support/figures.ts";
import type { AttackerKind } from "../generator/attackers.ts";
import { modelNames } from "../models/all.ts";
import { sentinelName, variantNames } from "../models/sentinel.ts";
import { type PublishedResult, publishedFreeman, publishedTrained } from "../published.ts";
import { type Columns, keyOf } from "../results.ts";
import {
  attackerNames,
  formatFigure,
  formatInterval,
  formatPercent,
  formatPercentInterval,
  formatSigned,
} from "./format.ts";
import {
  type Comparison,
  compareModels,
  computeOutcome,
  equalShares,
  selectByHistory,
} from "./outcome.ts";

function publishedResultOf(
  results: Readonly<Partial<Record<AttackerKind, PublishedResult>>>,
  kind: AttackerKind,
): PublishedResult | undefined {
  return results[kind];
}

function createPublishedRow(name: string, kind: AttackerKind, found: PublishedResult | undefined) {
  if (found === undefined) return [];
  const { auc, recallAt1Percent, challengedAt90, challengedAt99 } = found;
  return [
    [
      attackerNames[kind],
      `_${name}_`,
      `_${formatFigure(auc)}_`,
      `_${formatPercent(recallAt1Percent)}_`,
      "",
      `_${formatPercent(challengedAt90)}_`,
      `_${formatPercent(challengedAt99)}_`,
    ],
  ];
}

/** Every model against every attacker, with the published figures. */
export function renderResultTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.flatMap(({ kind, outcomes }) => [
    ...outcomes.map(({ model, auc, aucInterval, recall, recallInterval, challenged }) => [
      attackerNames[kind],
      model === sentinelName ? `**${model}**` : model,
      aucInterval === null
        ? formatFigure(auc)
        : `${formatFigure(auc)} ${formatInterval(aucInterval)}`,
      recallInterval === null
        ? formatPercent(recall[1])
        : `${formatPercent(recall[1])} ${formatPercentInterval(recallInterval)}`,
      formatPercent(recall[0]),
      formatPercent(challenged[0]),
      formatPercent(challenged[1]),
    ]),
    ...createPublishedRow("published Freeman", kind, publishedResultOf(publishedFreeman, kind)),
    ...createPublishedRow(
      "published best, trained",
      kind,
      publishedResultOf(publishedTrained, kind),
    ),
  ]);
  const head = [
    "attacker",
    "model",
    "ROC AUC",
    "caught at 1 % challenged",
    "at 0.1 %",
    "challenged at 90 % caught",
    "at 99 %",
  ];
  return table(head, rows);
}

/** The same model on the published data and on ours, and the gain of the better model. */
export function renderHardnessTable(
  matched: readonly Comparison[],
  operation: readonly Comparison[],
): string {
  const rows = matched.flatMap(({ kind }) => {
    const [freeman, trained] = [
      publishedResultOf(publishedFreeman, kind),
      publishedResultOf(publishedTrained, kind),
    ];
    if (freeman === undefined || trained === undefined) return [];
    const cells = [matched, operation].flatMap((comparisons) => {
      const outcomes = comparisons.find((found) => found.kind === kind)?.outcomes ?? [];
      const aucOf = (name: string) =>
        outcomes.find(({ model }) => model === name)?.auc ?? Number.NaN;
      const baseline = aucOf("Freeman sum");
      return [formatFigure(baseline), formatSigned(aucOf(sentinelName) - baseline)];
    });
    const lead = formatSigned(trained.auc - freeman.auc);
    return [[attackerNames[kind], `_${formatFigure(freeman.auc)}_`, `_${lead}_`, ...cells]];
  });
  const head = [
    "attacker",
    "_published Freeman_",
    "_best trained adds_",
    "Freeman sum, matched",
    "Sentinel adds",
    "Freeman sum, in operation",
    "Sentinel adds",
  ];
  return table(head, rows);
}

/** The attacks caught where each model may challenge the same share of real logins. */
export function renderEqualTable(comparisons: readonly Comparison[]): string {
  const models = modelNames.filter((model) => model !== "random");
  const rows = comparisons.flatMap(({ kind, outcomes }) =>
    models.map((model) => {
      const outcome = outcomes.find((candidate) => candidate.model === model);
      return [
        attackerNames[kind],
        model === sentinelName ? `**${model}**` : model,
        ...equalShares.map((_, index) => formatPercent(outcome?.recall[index])),
      ];
    }),
  );
  const shares = equalShares.map((share) => `${share * 100} % challenged`);
  return table(["attacker", "model", ...shares], rows);
}

export function renderAblationTable(columns: Columns): string {
  const comparisons = compareModels(columns, "matched", 0, [sentinelName, ...variantNames]);
  const rows = comparisons.map(({ kind, outcomes }) => [
    attackerNames[kind],
    ...outcomes.map(({ auc, recall }) => `${formatFigure(auc)}, ${formatPercent(recall[1])}`),
  ]);
  return table(["attacker", "Sentinel", ...variantNames], rows);
}

const depths = [
  { name: "1–4", min: 1, max: 4 },
  { name: "5 or more", min: 5, max: Number.POSITIVE_INFINITY },
];

/** By the number of earlier logins. First logins are a separate protocol. */
export function renderColdStartTable(columns: Columns): string {
  const models = modelNames.filter((model) => model !== "random");
  const rows = [
    ...compareModels(columns, "first", 0).map(({ kind, real, outcomes }) => [
      "0",
      attackerNames[kind],
      String(real),
      ...models.map((model) => formatFigure(outcomes.find((found) => found.model === model)?.auc)),
    ]),
    ...depths.flatMap(({ name, min, max }) =>
      compareModels(columns, "matched", 0).map(({ kind }) => {
        const real = selectByHistory(columns[keyOf("matched", "test", "real")], min, max);
        const attacks = selectByHistory(columns[keyOf("matched", "test", kind)], min, max);
        const figures = models.map((model) => {
          const sides = [real, attacks].map((column) => {
            return { scores: column?.scores[model] ?? [], users: column?.users ?? [] };
          });
          const [left = { scores: [], users: [] }, right = { scores: [], users: [] }] = sides;
          return formatFigure(computeOutcome(left, right, model).auc);
        });
        return [name, attackerNames[kind], String(real?.users.length ?? 0), ...figures];
      }),
    ),
  ];
  return table(["logins before", "attacker", "real logins", ...models], rows);
}
