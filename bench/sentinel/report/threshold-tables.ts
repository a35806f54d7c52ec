/** Tables of fixed thresholds (pure): set on the validation period, or as shipped. */
import { table } from "../../support/figures.ts";
import { attackerKinds } from "../generator/attackers.ts";
import {
  computeShareAtOrAbove,
  findCatchingThreshold,
  findSparingThreshold,
  medianOf,
} from "../metrics.ts";
import { modelNames } from "../models/all.ts";
import { sentinelName } from "../models/sentinel.ts";
import { publishedReauthentication } from "../published.ts";
import { type Columns, keyOf } from "../results.ts";
import type { Kind, Period } from "../trial.ts";
import type { Beginning } from "../year.ts";
import { attackerNames, formatPercent } from "./format.ts";
import { caughtShares } from "./outcome.ts";
import { computeShipped } from "./records.ts";

const comparedModels = ["EXTEND", "Freeman sum", sentinelName];

function scoresOf(columns: Columns, period: Period, kind: Kind, model: string): readonly number[] {
  return columns[keyOf("matched", period, kind)]?.scores[model] ?? [];
}

/** The effect in the test period of thresholds from the validation period. */
export function renderCarriedTable(columns: Columns): string {
  const rows = attackerKinds.flatMap((kind) =>
    comparedModels.map((model) => {
      const [real, attacks] = [
        scoresOf(columns, "test", "real", model),
        scoresOf(columns, "test", kind, model),
      ];
      const pair = (threshold: number) =>
        `${formatPercent(computeShareAtOrAbove(attacks, threshold))} / ${formatPercent(computeShareAtOrAbove(real, threshold))}`;
      const catching = caughtShares.map((share) =>
        pair(findCatchingThreshold(scoresOf(columns, "validation", kind, model), share)),
      );
      const sparing = findSparingThreshold(scoresOf(columns, "validation", "real", model), 0.01);
      return [attackerNames[kind], model, pair(sparing), ...catching];
    }),
  );
  const head = [
    "attacker",
    "model",
    "set to challenge 1 %",
    "set to catch 90 %",
    "set to catch 99 %",
  ];
  return table(head, rows);
}

/** Sentinel with its default thresholds. */
export function renderShippedTable(columns: Columns): string {
  const kinds = ["real", ...attackerKinds] as const;
  const rows = (["matched", "operation", "first"] as const).flatMap((protocol) =>
    kinds.flatMap((kind) => {
      const found = computeShipped(columns, protocol, kind);
      if (found === undefined) return [];
      const name = kind === "real" ? "real logins" : attackerNames[kind];
      return [[protocol, name, formatPercent(found.challenged), formatPercent(found.denied)]];
    }),
  );
  return table(["", "of", "challenged or denied", "denied"], rows);
}

/** The median share of a user's first twelve logins that is challenged; the very first always is. */
export function renderReauthenticationTable(
  columns: Columns,
  beginnings: readonly Beginning[],
): string {
  const { caught, logins, median } = publishedReauthentication;
  const complete = beginnings.filter(({ scores: found }) => {
    return (found[sentinelName]?.length ?? 0) === logins - 1;
  });
  const rows = (["naive", "vpn", "targeted"] as const).map((kind) => [
    attackerNames[kind],
    ...modelNames.map((model) => {
      const threshold = findCatchingThreshold(scoresOf(columns, "test", kind, model), caught);
      const rates = complete.map(({ scores: found }) => {
        const again = (found[model] ?? []).filter((score) => score >= threshold).length;
        return (1 + again) / logins;
      });
      return medianOf(rates).toFixed(2);
    }),
    `_${median[kind].toFixed(2)}_`,
  ]);
  const head = ["attacker", ...modelNames, "_published_"];
  return `${complete.length} users.\n\n${table(head, rows)}`;
}
