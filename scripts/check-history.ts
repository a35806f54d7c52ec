/**
 * `npm run check:history`: records thousands of histories of concurrent calls to the service, and checks each
 * against a model that runs one call after the other (test/history/). `npm test` checks a few of them.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../packages/cli/src/failure.ts";
import { runScript } from "./support/run-script.ts";

const helpText = `Record histories of concurrent calls, and search for one that no order explains.

  npm run check:history -- [--histories 5000] [--seed N]

Prints the seed of each run, which repeats its calls. Exits with 0 if every history can be explained, and
with 1 and the shortest contradiction if one cannot.
`;

const root = join(import.meta.dirname, "..");
/** A test file runs them all in one Worker, whose memory grows with their number. */
const historiesPerRun = 500;
/** Each test file of a run adds its own number to the seed. */
const seedsPerRun = 100;
const maxSeed = 2 ** 30;

function parseWholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > maxSeed) {
    throw new Failure(`--${name} must be a whole number from 1 to ${maxSeed}`);
  }
  return value;
}

interface Run {
  readonly ok: boolean;
  /** Lines of the test files that summarise their histories. */
  readonly summaries: readonly string[];
  readonly output: string;
}

/** Removes what the runtime prints about guards that a test aborts on purpose. */
function removeNoise(text: string): string {
  const noise = /broken\.outputGateBroken|^stack: /;
  return text
    .split("\n")
    .filter((line) => !noise.test(line))
    .join("\n");
}

function runHistories(seed: number, histories: number): Run {
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
  if (error) throw new Failure(`vitest did not start: ${error.message}`);
  const summaries = stdout.split("\n").filter((line) => /^SEED=\d+ HISTORIES=\d+: /.test(line));
  return { ok: status === 0, summaries, output: `${stdout}${removeNoise(stderr)}` };
}

function addCounts(sums: Map<string, number>, summaries: readonly string[]): void {
  for (const [, times, what = ""] of summaries.join("\n").matchAll(/, (\d+) ([a-zA-Z ]+)/g)) {
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
  const total = parseWholeNumber("histories", values.histories);
  const seed = parseWholeNumber("seed", values.seed);
  const sums = new Map<string, number>();
  for (let done = 0, n = 0; done < total; n += 1) {
    const count = Math.min(historiesPerRun, total - done);
    const runSeed = seed + n * seedsPerRun;
    const { ok, summaries, output } = runHistories(runSeed, count);
    if (!ok) {
      process.stderr.write(`${output}\nFailed: SEED=${runSeed} HISTORIES=${count}\n`);
      return 1;
    }
    addCounts(sums, summaries);
    done += count;
    process.stdout.write(
      `SEED=${runSeed} HISTORIES=${count}: all explained (${done} of ${total})\n`,
    );
  }
  const totals = [...sums].map(([what, times]) => `${times} ${what}`).join(", ");
  process.stdout.write(`${totals}\nEvery history is one of calls one after the other.\n`);
  return 0;
}

await runScript(async () => main());
