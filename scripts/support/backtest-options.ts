/** The options of `npm run sentinel:backtest`. */
import { parseArgs } from "node:util";
import { Failure } from "../../packages/cli/src/failure.ts";
import type { KindThresholds, RiskPolicy } from "../../src/sentinel/assessment.ts";
import { signalNames } from "../../src/sentinel/reason.ts";
import { type AttackerKind, attackerKinds } from "../../src/sentinel/weights.ts";
import { defaultPolicy } from "../../src/tenancy/policy.ts";
import { type NetworkValues, networkOptions, planNetwork } from "./sentinel-options.ts";

export const helpText = `Replay past logins through Sentinel: who would have been challenged, and why.

  npm run sentinel:backtest -- FILE.csv [options]

FILE.csv has a header with the columns time (RFC 3339), user, ip, ua and outcome, and may have label,
accept_language, time_zone, client_hints (JSON) and ja4. It is sorted by time, the oldest first.
  outcome   success, verified (with a second factor) or failure (it was not let in)
  label     legitimate, fraud or empty

  --out DIR              the folder for report.html, sessions.csv and days.csv (default: .dev/backtest)
  --challenge-at SCORE   default ${defaultPolicy.sentinel.challengeAt}
  --deny-at SCORE        default ${defaultPolicy.sentinel.denyAt}
  --kind KIND=FROM[,DENY]  thresholds by kind, such as phisher=0.2 or phisher=0.2,0.6; repeatable. KIND is
                         one of ${attackerKinds.join(", ")}.
  --signal-off NAME      a signal that scores nothing; repeatable
  --geography, --asn FILE, --country FILE, --feed NAME=FILE, --catalogue
                         network data, as for npm run sentinel:import; without it, sessions are compared by
                         address and block alone
  --help

Nothing is sent anywhere, and no service is needed. Invalid lines are reported and left out. Exits with 0, or
with 1 if the file cannot be used.
`;

export interface BacktestOptions {
  readonly file: string;
  readonly out: string;
  readonly policy: RiskPolicy;
  readonly network: ReturnType<typeof planNetwork>;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...networkOptions,
        out: { type: "string", default: ".dev/backtest" },
        "challenge-at": { type: "string" },
        "deny-at": { type: "string" },
        kind: { type: "string", multiple: true, default: [] },
        "signal-off": { type: "string", multiple: true, default: [] },
        help: { type: "boolean", default: false },
      },
      allowPositionals: true,
    });
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error));
  }
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

export interface BacktestValues extends NetworkValues {
  readonly out: string;
  readonly "challenge-at"?: string | undefined;
  readonly "deny-at"?: string | undefined;
  readonly kind: readonly string[];
  readonly "signal-off": readonly string[];
}

/** @returns undefined for --help. @throws Failure for an invalid argument */
export function parseOptions(args: readonly string[]): BacktestOptions | undefined {
  const { values, positionals } = parse(args);
  return values.help ? undefined : readOptions(values, positionals);
}

/** @throws Failure for an invalid argument */
export function readOptions(
  values: BacktestValues,
  positionals: readonly string[],
): BacktestOptions {
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new Failure("Name one FILE.csv; see --help.");
  const { challengeAt, denyAt } = defaultPolicy.sentinel;
  const readThreshold = (name: "challenge-at" | "deny-at", otherwise: number) => {
    const text = values[name];
    return text === undefined ? otherwise : parseThreshold(`--${name}`, text);
  };
  const policy = {
    challengeAt: readThreshold("challenge-at", challengeAt),
    denyAt: readThreshold("deny-at", denyAt),
    signalsOff: values["signal-off"],
    kinds: Object.fromEntries(values.kind.map(parseKind)),
  };
  if (policy.denyAt < policy.challengeAt) {
    throw new Failure("--deny-at must not be less than --challenge-at.");
  }
  const unknown = policy.signalsOff.find((name) => !signalNames.some((one) => one === name));
  if (unknown !== undefined) throw new Failure(`--signal-off ${unknown}: no signal has this name.`);
  return { file, out: values.out, policy, network: planNetwork(values) };
}
