/** The options of `edge-idp sentinel backtest`, beside those of lists and geography. */
import type { Command } from "commander";
import type { KindThresholds, RiskPolicy } from "../../../../../src/sentinel/assessment.ts";
import { signalNames } from "../../../../../src/sentinel/reason.ts";
import { type AttackerKind, attackerKinds } from "../../../../../src/sentinel/weights.ts";
import { defaultPolicy } from "../../../../../src/tenancy/policy.ts";
import { collect } from "../../arguments.ts";
import { Failure } from "../../failure.ts";
import { addNetworkOptions, type NetworkValues } from "../import/options.ts";

export interface BacktestOptions {
  readonly out: string;
  readonly policy: RiskPolicy;
}

export interface BacktestValues extends NetworkValues {
  readonly out: string;
  readonly challengeAt?: string | undefined;
  readonly denyAt?: string | undefined;
  readonly kind?: readonly string[] | undefined;
  readonly signalOff?: readonly string[] | undefined;
}

export function addBacktestOptions(command: Command): Command {
  const { challengeAt, denyAt } = defaultPolicy.sentinel;
  command
    .option(
      "--out <folder>",
      "the folder for report.html, sessions.csv and days.csv",
      ".dev/backtest",
    )
    .option("--challenge-at <score>", `challenge from this score on (default: ${challengeAt})`)
    .option("--deny-at <score>", `deny from this score on (default: ${denyAt})`)
    .option(
      "--kind <kind=from[,deny]>",
      `thresholds by kind, such as phisher=0.2 or phisher=0.2,0.6; repeatable; one of ${attackerKinds.join(", ")}`,
      collect,
    )
    .option("--signal-off <name>", "a signal that scores nothing; repeatable", collect);
  return addNetworkOptions(command);
}

function parseThreshold(name: string, text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value > 0 && value < 1) return value;
  throw new Failure(`${name} ${text}: expected a number between 0 and 1.`);
}

function parseKind(text: string): readonly [AttackerKind, KindThresholds] {
  const [name = "", values = ""] = text.split("=");
  const kind = attackerKinds.find((one) => one === name);
  if (kind === undefined) {
    throw new Failure(`--kind ${text}: expected ${attackerKinds.join(", ")}, then =FROM.`);
  }
  const [challenge = "", deny, ...more] = values.split(",");
  if (more.length > 0)
    throw new Failure(`--kind ${text}: expected ${kind}=FROM or ${kind}=FROM,DENY.`);
  const challengeAt = parseThreshold("--kind", challenge);
  const denyAt = deny === undefined ? undefined : parseThreshold("--kind", deny);
  if (denyAt !== undefined && denyAt < challengeAt) {
    throw new Failure(`--kind ${text}: DENY must not be less than FROM.`);
  }
  return [kind, { challengeAt, denyAt }];
}

/** @throws Failure for an invalid option */
export function readOptions(values: BacktestValues): BacktestOptions {
  const { challengeAt, denyAt } = defaultPolicy.sentinel;
  const readThreshold = (name: string, text: string | undefined, otherwise: number) =>
    text === undefined ? otherwise : parseThreshold(name, text);
  const policy = {
    challengeAt: readThreshold("--challenge-at", values.challengeAt, challengeAt),
    denyAt: readThreshold("--deny-at", values.denyAt, denyAt),
    signalsOff: values.signalOff ?? [],
    kinds: Object.fromEntries((values.kind ?? []).map(parseKind)),
  };
  if (policy.denyAt < policy.challengeAt) {
    throw new Failure("--deny-at must not be less than --challenge-at.");
  }
  const unknown = policy.signalsOff.find((name) => !signalNames.some((one) => one === name));
  if (unknown !== undefined) throw new Failure(`--signal-off ${unknown}: no signal has this name.`);
  return { out: values.out, policy };
}
