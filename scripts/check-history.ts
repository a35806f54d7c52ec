/**
 * `npm run check:history`: records thousands of histories of concurrent calls against the service and
 * holds each against a model that takes one call after the other (test/history/). What `npm test` does
 * with two hundred, once more with other seeds.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure, runScript } from "./support/failure.ts";

const helpText = `Record histories of concurrent calls, and look for one that no order explains.

  npm run check:history -- [--histories 5000] [--seed N]

Prints the seed of each run; with that seed the same calls are made again. Ends with 0 when every
history can be explained, with 1 and the shortest contradiction when one cannot.
`;

const root = join(import.meta.dirname, "..");
/** A test file holds them all in one Worker, which should not grow old. */
const historiesPerRun = 500;
/** Each test file of a run adds its own number to the seed. */
const seedsPerRun = 100;
const greatestSeed = 2 ** 30;

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > greatestSeed) {
    throw new Failure(`--${name} must be a whole number from 1 to ${greatestSeed}`);
  }
  return value;
}

interface Run {
  readonly ok: boolean;
  /** Lines of the test files that tell what their histories held. */
  readonly told: readonly string[];
  readonly output: string;
}

/** The runtime itself tells of each guard that is broken off on purpose: that is not shown. */
function withoutNoise(text: string): string {
  const noise = /broken\.outputGateBroken|^stack: /;
  return text
    .split("\n")
    .filter((line) => !noise.test(line))
    .join("\n");
}

function run(seed: number, histories: number): Run {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const { status, error, stdout, stderr } = spawnSync(
    process.execPath,
    [vitest, "run", "test/history/history-", "--silent=false"],
    {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, SEED: String(seed), HISTORIES: String(histories), NO_COLOR: "1" },
    },
  );
  if (error) throw new Failure(`vitest did not run: ${error.message}`);
  const told = stdout.split("\n").filter((line) => /^SEED=\d+ HISTORIES=\d+: /.test(line));
  return { ok: status === 0, told, output: `${stdout}${withoutNoise(stderr)}` };
}

function add(sums: Map<string, number>, told: readonly string[]): void {
  for (const [, times, what = ""] of told.join("\n").matchAll(/, (\d+) ([a-zA-Z ]+)/g)) {
    sums.set(what, (sums.get(what) ?? 0) + Number(times));
  }
}

function main(): number {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      histories: { type: "string", default: "5000" },
      seed: { type: "string", default: String(1 + Math.floor(Math.random() * 2 ** 29)) },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const wanted = wholeNumber("histories", values.histories);
  const seed = wholeNumber("seed", values.seed);
  const sums = new Map<string, number>();
  for (let done = 0, n = 0; done < wanted; n += 1) {
    const now = Math.min(historiesPerRun, wanted - done);
    const ofRun = seed + n * seedsPerRun;
    const { ok, told, output } = run(ofRun, now);
    if (!ok) {
      process.stderr.write(`${output}\nFailed: SEED=${ofRun} HISTORIES=${now}\n`);
      return 1;
    }
    add(sums, told);
    done += now;
    process.stdout.write(`SEED=${ofRun} HISTORIES=${now}: all explained (${done} of ${wanted})\n`);
  }
  const totals = [...sums].map(([what, times]) => `${times} ${what}`).join(", ");
  process.stdout.write(`${totals}\nEvery history is one of calls one after the other.\n`);
  return 0;
}

await runScript(async () => main());
