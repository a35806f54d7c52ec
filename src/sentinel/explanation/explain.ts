/**
 * Explains a score in numbers (pure): each step from the inputs of an assessment and the weights of the model to the
 * contributions of the signals, and from these to the score.
 *
 * The steps are computed when somebody reads them, from the stored evidence, so an assessment on the way of a login
 * takes no longer and its row is no larger. Only the model that computed a score can explain it, so the caller compares
 * its name; and steps that do not lead to the stored contributions are no explanation.
 */
import type { RiskPolicy } from "../assessment.ts";
import { computeContributions, maxOfHistory, weighConfirmed } from "../behaviour/attacker-model.ts";
import type { BehaviourEvidence, SessionEvidence } from "../evidence.ts";
import type { Reason, ReasonName, SignalName } from "../reason.ts";
import { findHabitReasons, listHabitsOff } from "../signals/habits.ts";
import { judge } from "../signals/judgement.ts";
import { isBinding } from "../signals/travel.ts";
import { findWeakLimit } from "../signals/weak-trust.ts";
import {
  attackerKinds,
  attackers,
  behaviourBounds,
  challengeEvidence,
  priorProbability,
  signalKinds,
} from "../weights.ts";
import { type Basis, basisOf } from "./basis.ts";
import {
  boundHour,
  explainClient,
  explainHour,
  explainNetworkAndAgent,
  type HabitNames,
} from "./explain-habits.ts";
import { HierarchySteps } from "./explain-hierarchy.ts";
import { explainersOf, explainFit, type Surroundings } from "./explain-signals.ts";
import { literal, Sheet, type Step, sumOf, UnexplainedError } from "./sheet.ts";

export interface ExplainedContribution {
  readonly signal: ReasonName;
  readonly contribution: number;
  readonly basis: Basis;
}

export interface Explanation {
  /** The strongest first, as in the assessment. */
  readonly contributions: readonly ExplainedContribution[];
  /** Each step follows from the ones before it. */
  readonly steps: readonly Step[];
}

const habitSignals = [
  "network_history",
  "agent_history",
  "hour_of_week",
  "client_history",
] as const;
const ofHistory: readonly ReasonName[] = [
  ...habitSignals,
  "gradual_change",
  "known_device",
  "no_known_device",
];
/** They depend on the others. */
const later: readonly ReasonName[] = [...ofHistory, "impossible_travel"];

function sumContributions(reasons: readonly Reason[]): number {
  return reasons.reduce((sum, { contribution }) => sum + contribution, 0);
}

class Explainer {
  readonly #sheet = new Sheet();
  readonly #evidence: SessionEvidence;
  readonly #reasons: readonly Reason[];
  readonly #riskScore: number;
  readonly #policy: RiskPolicy;
  readonly #concluded: ReasonName[] = [];

  constructor(evidence: SessionEvidence, policy: RiskPolicy) {
    const { reasons, riskScore } = judge(evidence, policy);
    this.#evidence = evidence;
    this.#reasons = reasons;
    this.#riskScore = riskScore;
    this.#policy = policy;
  }

  /** @throws UnexplainedError if the steps do not lead to the score */
  explain(): Explanation {
    const sheet = this.#sheet;
    sheet.begin("prior");
    const odds = `${priorProbability} / (1 - ${priorProbability})`;
    sheet.compute("prior", `ln(${odds})`, "log-odds of an attack before anything is known");
    const isTest = this.#evidence.network.testResult !== undefined;
    const fit = isTest ? null : this.#explainHabits();
    this.#explainOthers(fit);
    sheet.begin("score");
    sheet.compute("sum", sumOf(["prior", ...this.#concluded]), "the prior and all contributions");
    sheet.conclude(
      "risk_score",
      "1 / (1 + exp(-sum))",
      this.#riskScore,
      "the probability of an attack",
    );
    if (!isTest) this.#explainKinds(fit ?? "attacker_share");
    return {
      contributions: this.#reasons.map(({ signal, contribution }) => ({
        signal,
        contribution,
        basis: basisOf(signal),
      })),
      steps: sheet.steps,
    };
  }

  #isOff(signal: SignalName): boolean {
    return this.#policy.signalsOff.includes(signal);
  }

  #find(signal: ReasonName): Reason | undefined {
    return this.#reasons.find((one) => one.signal === signal);
  }

  #conclude(signal: ReasonName, formula: string): void {
    const reason = this.#find(signal);
    if (reason === undefined) return;
    this.#sheet.conclude(signal, formula, reason.contribution, "the contribution, log-odds");
    this.#concluded.push(signal);
  }

  /** The steps to the ratios of the habits. @returns the step with the fit of each kind; null without a history */
  #explainHabits(): string | null {
    const { behaviour } = this.#evidence;
    const sheet = this.#sheet;
    sheet.begin("attackers");
    sheet.weigh(
      "attacker_share",
      attackerKinds.map((kind) => attackers[kind].share),
      "how common each kind is among attackers",
    );
    if (behaviour === null) {
      this.#explainBesideHistory(null);
      return null;
    }
    const off = listHabitsOff((signal) => this.#isOff(signal));
    const names = explainNetworkAndAgent(sheet, "", behaviour, off);
    const ratios = this.#explainRatios(behaviour);
    const hour = off.includes("hour") ? [] : [explainHour(sheet, behaviour)];
    const client =
      off.includes("client") || behaviour.client === undefined
        ? []
        : [explainClient(sheet, behaviour)];
    const fit = explainFit(sheet, [...ratios, ...hour, ...client]);
    this.#explainBesideHistory(fit);
    this.#concludeHabits(behaviour, names, ratios);
    return fit;
  }

  /**
   * The names of the ratios of network and agent with all that the history knows. Where sessions that nobody confirmed
   * know more, the evidence may follow from the confirmed ones alone, and these ratios have steps of their own.
   */
  #explainRatios(behaviour: BehaviourEvidence): readonly string[] {
    const off = listHabitsOff((signal) => this.#isOff(signal));
    if (weighConfirmed(behaviour, off).compared === behaviour) {
      return ["network.ratio", "agent.ratio"];
    }
    return (["network", "agent"] as const).map((hierarchy) =>
      new HierarchySteps(this.#sheet, "all.", hierarchy, behaviour, off, []).explainOwn(),
    );
  }

  /** The signals that are not about the history. */
  #explainBesideHistory(fit: string | null): void {
    const signals = this.#reasons.filter(({ signal }) => !later.includes(signal));
    this.#explainSignals(
      signals.map(({ signal }) => signal),
      fit,
    );
  }

  #explainSignals(signals: readonly ReasonName[], fit: string | null): void {
    const explainers = explainersOf(this.#evidence);
    for (const signal of signals) {
      const explainOne = explainers[signal];
      if (explainOne === undefined || this.#find(signal) === undefined) continue;
      this.#sheet.begin(signal);
      this.#conclude(signal, explainOne(this.#sheet, this.#surroundings(fit)));
    }
  }

  #surroundings(fit: string | null): Surroundings {
    const most = maxOfHistory(this.#evidence.behaviour);
    const history = this.#concluded.filter((signal) => ofHistory.includes(signal));
    return {
      evidence: this.#evidence,
      fit,
      habits: this.#sheet.has("habits") ? "habits" : "0",
      settled: this.#sheet.has("settled.both") ? "settled.both" : null,
      travel: {
        others: `(${sumOf(this.#concluded)})`,
        room: Number.isFinite(most) ? `${most} - (${sumOf(history)})` : null,
        isBinding: isBinding(this.#evidence),
      },
    };
  }

  #concludeHabits(
    behaviour: BehaviourEvidence,
    { both, network }: HabitNames,
    ratios: readonly string[],
  ): void {
    const sheet = this.#sheet;
    const isOff = (signal: SignalName) => this.#isOff(signal);
    const off = listHabitsOff(isOff);
    const beside = sumContributions(this.#reasons.filter(({ signal }) => !later.includes(signal)));
    sheet.begin("hour_of_week");
    const hasHour = sheet.has("hour.ratio");
    if (hasHour) {
      sheet.compute(
        "hour.evidence",
        boundHour(behaviour, off, both),
        "the evidence of the hour, within its bounds",
      );
    }
    const hasClient = sheet.has("client.ratio");
    if (hasClient) {
      sheet.begin("client_history");
      const { minClient, maxClient } = behaviourBounds;
      const most = maxOfHistory(behaviour);
      const mixed = ["attacker_share", ...ratios].join(" * ");
      const room = `${most} - ${both}${hasHour ? " - hour.evidence" : ""}`;
      const max = Number.isFinite(most) ? `min(${maxClient}, ${room})` : String(maxClient);
      sheet.compute(
        "client.evidence",
        `min(${max}, max(${literal(minClient)}, ln(sum(${mixed} * client.ratio) / sum(${mixed}))))`,
        "what the client adds to network and agent, within its bounds",
      );
    }
    const formulas = {
      network_history: network,
      agent_history: `${both} - ${network}`,
      hour_of_week: "hour.evidence",
      client_history: "client.evidence",
    };
    const limit = findWeakLimit(findHabitReasons(behaviour, isOff), behaviour, beside);
    if (limit !== undefined) {
      sheet.begin("bound of unconfirmed trust");
      const all = computeContributions(behaviour, off);
      const isFor = (part: keyof typeof all) => all[part] < 0;
      const parts = (["network", "agent", "hour", "client"] as const).filter(
        (part) => all[part] !== 0,
      );
      const formulaOf = (part: keyof typeof all) =>
        formulas[
          habitSignals[["network", "agent", "hour", "client"].indexOf(part)] ?? "hour_of_week"
        ];
      sheet.compute(
        "for_user",
        sumOf(parts.filter(isFor).map((part) => `(${formulaOf(part)})`)),
        "what speaks for the user",
      );
      sheet.compute(
        "against_user",
        sumOf(parts.filter((part) => !isFor(part)).map((part) => `(${formulaOf(part)})`)),
        "what the habits say against the user",
      );
      sheet.compute("beside_history", sumOf(this.#concluded), "what all other signals say");
      sheet.compute(
        "kept",
        `(${challengeEvidence} - beside_history - against_user) / for_user`,
        "the part of it that counts, because nobody confirmed the history and the rest leads to a challenge",
      );
    }
    for (const signal of habitSignals) {
      sheet.begin(signal);
      const isKept = limit !== undefined && (this.#find(signal)?.contribution ?? 0) < 0;
      this.#conclude(signal, isKept ? `(${formulas[signal]}) * kept` : formulas[signal]);
    }
    sheet.begin("habits");
    const habits = this.#concluded.filter((signal) => habitSignals.some((one) => one === signal));
    sheet.compute("habits", sumOf(habits), "what the habits say together");
  }

  /** What builds on the habits: the change of the history, devices, and the journey at last. */
  #explainOthers(fit: string | null): void {
    const { settled, network } = this.#evidence;
    const sheet = this.#sheet;
    if (network.testResult !== undefined) {
      this.#explainSignals(["test_address"], fit);
      return;
    }
    if (settled !== undefined && this.#find("gradual_change") !== undefined) {
      explainNetworkAndAgent(sheet, "settled.", settled, []);
    }
    this.#explainSignals(
      ["gradual_change", "known_device", "no_known_device", "impossible_travel"],
      fit,
    );
  }

  #explainKinds(fit: string): void {
    const sheet = this.#sheet;
    sheet.begin("kinds");
    const pointing = this.#concluded.flatMap((signal) => {
      const kinds = signalKinds[signal];
      if (kinds === undefined) return [];
      const name = `${signal}.kinds`;
      if (!sheet.has(name)) {
        sheet.weigh(
          name,
          attackerKinds.map((kind) => (kinds.includes(kind) ? 1 : 0)),
          "1: the signal speaks of this kind of attacker",
        );
      }
      return [`${name} * ${signal}`];
    });
    sheet.compute(
      "kinds.weighed",
      pointing.length === 0 ? fit : `${fit} * exp(max(0, ${sumOf(pointing)}))`,
      "how well each kind of attacker fits, with the signals that speak of it",
    );
    sheet.compute(
      "kinds",
      "risk_score * kinds.weighed / sum(kinds.weighed)",
      "the probability of each kind of attacker, before rounding",
    );
  }
}

/**
 * @returns undefined if the steps of this build do not lead to the score that it computes
 * @throws no error for evidence of the schema
 */
export function explainScore(
  evidence: SessionEvidence,
  policy: RiskPolicy,
): Explanation | undefined {
  try {
    return new Explainer(evidence, policy).explain();
  } catch (error) {
    if (error instanceof UnexplainedError) return undefined;
    throw error;
  }
}
