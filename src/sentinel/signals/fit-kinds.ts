/**
 * What a signal that speaks of some kinds of attacker alone adds to the history (pure). Many users at one address, or
 * in one network that is new to them, are what stuffing looks like; but if the history has ruled out the kinds that
 * stuff, such as by the user's own browser, they are colleagues in a new office or with a new provider.
 */
import { shareKinds } from "../behaviour/attacker-model.ts";
import type { BehaviourEvidence } from "../evidence.ts";
import type { IsOff, Reason, ReasonName } from "../reason.ts";
import { attackerKinds, attackers, signalKinds } from "../weights.ts";
import { listHabitsOff } from "./habits.ts";

const fitted: readonly ReasonName[] = ["credential_stuffing", "network_stuffing"];

/** Finds the contribution of such a signal from the one that it has without a history. */
export function fitKinds(
  behaviour: BehaviourEvidence | null,
  isOff: IsOff,
): (reason: Reason) => number {
  return ({ signal, contribution }) => {
    const kinds = signalKinds[signal];
    if (behaviour === null || kinds === undefined || !fitted.includes(signal)) return contribution;
    const shares = shareKinds(behaviour, listHabitsOff(isOff));
    const sum = (shareOf: (kind: (typeof attackerKinds)[number]) => number) =>
      attackerKinds
        .filter((kind) => kinds.includes(kind))
        .reduce((all, kind) => all + shareOf(kind), 0);
    const fit = Math.min(1, sum((kind) => shares[kind]) / sum((kind) => attackers[kind].share));
    return Math.log(fit * Math.exp(contribution) + 1 - fit);
  };
}
