/** Asks the service about each of its parts, and judges the answers. */
import { type EdgeIdp, IdpError } from "@edge-idp/sdk";
import { Failure } from "../failure.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { judgeHealth } from "./judge-health.ts";
import { judgeClock, judgeFeeds } from "./judge-others.ts";

export interface Patient {
  readonly url: string;
  /** With the operator's token, and without repetitions. */
  readonly idp: EdgeIdp;
  /** Compares the file of secrets with the keys that the service uses; undefined if no file is known. */
  readonly compareKeys: (() => Promise<void>) | undefined;
  readonly readClock: () => number;
}

/** What to do about a cause that the service names to the operator. */
const adviceByCause: Readonly<Record<string, string>> = {
  configuration_invalid:
    "A secret or a database is missing or wrong: configuration_invalid in the log names it.",
  keys_do_not_fit:
    "Deploy with the file of secrets that the data was sealed under: keys_do_not_fit in the log names the version.",
  migrations_missing:
    "npx wrangler d1 migrations apply DB --remote, and the same for DB_1 and so on.",
};

function describe(error: unknown): { text: string; advice: string } {
  if (!(error instanceof IdpError)) throw error;
  if (error.status === 0) {
    return {
      text: "The service does not answer.",
      advice: "Check the address, and the Worker's state.",
    };
  }
  if (error.status === 401) {
    return {
      text: "The service does not accept the operator token.",
      advice: "Name the file of secrets that the service was deployed with: --secrets-file.",
    };
  }
  const { cause } = error.fields;
  const advice = typeof cause === "string" ? adviceByCause[cause] : undefined;
  const request = error.requestId === undefined ? "" : `: request ${error.requestId}`;
  return {
    text: error.message,
    advice:
      advice ??
      `Look for request_failed and configuration_invalid in the log (${error.status} ${error.code}${request}).`,
  };
}

async function judge(part: string, ask: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await ask();
  } catch (error) {
    const { text, advice } = describe(error);
    return [fail(part, text, advice)];
  }
}

async function judgeReadiness({ idp }: Patient): Promise<Finding[]> {
  const { warnings = [] } = await idp.health.ready();
  return [
    warnings.length === 0
      ? ok("ready", "The service is ready: its databases and guards respond.")
      : warn("ready", "The service is ready, with warnings.", "See the line `size`."),
  ];
}

async function judgeKeys({ compareKeys }: Patient): Promise<Finding[]> {
  if (compareKeys === undefined) {
    return [
      warn(
        "keys",
        "The keys were not compared, because no file of secrets is known.",
        "Name it with --secrets-file: the file that the service was deployed with.",
      ),
    ];
  }
  try {
    await compareKeys();
  } catch (error) {
    // What the service answers is judged like that of every other part.
    if (!(error instanceof Failure)) throw error;
    const [text = "", ...advice] = error.message.split("\n");
    return [fail("keys", text, advice.join(" "))];
  }
  return [ok("keys", "The file of secrets has the keys that the service uses.")];
}

async function judgeMeasurements({ idp, readClock }: Patient): Promise<Finding[]> {
  const before = readClock();
  const health = await idp.health.measure();
  const service = Date.parse(health.now);
  return [judgeClock({ service, before, after: readClock() }), ...judgeHealth(health, service)];
}

/** Never throws for what the service answers. A service that does not run has one finding. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const { idp, url, readClock } = patient;
  const alive = await judge("alive", async () => {
    await idp.health.live();
    return [ok("alive", `The service answers at ${url}.`)];
  });
  if (alive.some(({ level }) => level === "fail")) return alive;
  const parts = [
    await judge("ready", () => judgeReadiness(patient)),
    await judge("keys", () => judgeKeys(patient)),
    await judge("health", () => judgeMeasurements(patient)),
    await judge("feeds", async () => [judgeFeeds(await idp.health.feeds(), readClock())]),
  ];
  return [...alive, ...parts.flat()];
}
