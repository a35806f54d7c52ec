/** Thresholds by kind of attacker against the Freeman sum (pure). */
import { table } from "../../support/figures.ts";
import { type AttackerKind, attackerKinds } from "../generator/attackers.ts";
import {
  computeChallengedShare,
  findBestKind,
  findPolicy,
  type KindPolicy,
  spareWithKind,
} from "../kind-policy.ts";
import { computeRecall } from "../metrics.ts";
import { type Column, type Columns, keyOf } from "../results.ts";
import { barShares } from "./before-tables.ts";
import { attackerNames, formatPercent } from "./format.ts";
import { equalShares } from "./outcome.ts";

const rival = "Freeman sum";

/** One attacker at one share of real logins. */
export interface KindOutcome {
  readonly kind: AttackerKind;
  readonly share: number;
  /** The share of real logins that the policy for all attackers challenges in the test period. */
  readonly real: number;
  /** The shares caught: by the Freeman sum at `real`, by that policy, and by a threshold of one kind. */
  readonly freeman: number;
  readonly policy: number;
  readonly alone: number;
  /** The kind whose threshold it is. */
  readonly aloneKind: string;
}

export interface KindResult {
  readonly outcomes: readonly KindOutcome[];
  readonly policies: readonly { readonly share: number; readonly policy: KindPolicy }[];
}

/** Finds thresholds in the validation period, and measures them in the test period. */
export function compareWithFreeman(columns: Columns): KindResult {
  const column = (period: "validation" | "test", kind: AttackerKind | "real") =>
    columns[keyOf("matched", period, kind)];
  const [known, real] = [column("validation", "real"), column("test", "real")];
  if (known === undefined || real === undefined) return { outcomes: [], policies: [] };
  const freemanRecall = (ours: Column, attacks: Column, share: number) =>
    computeRecall(ours.scores[rival] ?? [], attacks.scores[rival] ?? [], share);
  const policies = barShares.map((index) => {
    const share = equalShares[index];
    const rivals = attackerKinds.flatMap((kind) => {
      const attacks = column("validation", kind);
      return attacks === undefined ? [] : [{ attacks, bar: freemanRecall(known, attacks, share) }];
    });
    return { share, policy: findPolicy(known, rivals, share) };
  });
  const outcomes = policies.flatMap(({ share, policy }) => {
    const challenged = computeChallengedShare(real, policy);
    return attackerKinds.flatMap((kind): KindOutcome[] => {
      const [earlier, attacks] = [column("validation", kind), column("test", kind)];
      if (earlier === undefined || attacks === undefined) return [];
      const aloneKind = findBestKind(known, earlier, share);
      return [
        {
          kind,
          share,
          real: challenged,
          freeman: freemanRecall(real, attacks, Math.max(share, challenged)),
          policy: computeChallengedShare(attacks, policy),
          alone: computeChallengedShare(attacks, spareWithKind(real, aloneKind, share)),
          aloneKind,
        },
      ];
    });
  });
  return { outcomes, policies };
}

export function renderKindTable({ outcomes }: KindResult): string {
  const rows = outcomes.map(({ kind, share, real, freeman, policy, alone, aloneKind }) => [
    `${share * 100} %`,
    attackerNames[kind],
    formatPercent(freeman),
    policy > freeman ? formatPercent(policy) : `**${formatPercent(policy)}**`,
    formatPercent(real),
    `${alone > freeman ? formatPercent(alone) : `**${formatPercent(alone)}**`} (${aloneKind})`,
  ]);
  const head = [
    "challenged",
    "attacker",
    "Freeman sum",
    "one policy for all",
    "real logins it challenges",
    "one threshold for this attacker",
  ];
  return table(head, rows);
}

export function renderPolicyTable({ policies }: KindResult): string {
  const kinds = [...new Set(policies.flatMap(({ policy }) => [...policy.keys()]))];
  const rows = policies.map(({ share, policy }) => [
    `${share * 100} %`,
    ...kinds.map((kind) => policy.get(kind)?.toFixed(4) ?? "–"),
  ]);
  return table(["challenged", ...kinds], rows);
}
