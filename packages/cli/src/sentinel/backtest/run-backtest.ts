/**
 * `edge-idp sentinel backtest`: replays a tenant's past logins through Sentinel, offline. docs/backtest.md describes it.
 */
import { once } from "node:events";
import { createReadStream, createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Writable } from "node:stream";
import { Failure } from "../../failure.ts";
import { ownerOnly } from "../../file-mode.ts";
import { printLine, showProgress } from "../../progress.ts";
import type { NetworkPlan } from "../import/plan.ts";
import { Figures } from "./figures.ts";
import { openNetwork } from "./network.ts";
import type { BacktestOptions } from "./options.ts";
import { Replay } from "./replay.ts";
import { renderReport } from "./report.ts";
import { readLogins } from "./rows.ts";
import { sessionsHeader, writeDays, writeSession } from "./table.ts";

const maxPrintedLines = 20;
const loginsPerProgress = 10_000;

async function write(file: Writable, text: string): Promise<void> {
  if (!file.write(text)) await once(file, "drain");
}

/** Writes the login to the table if it would have been challenged or denied, and reports what was missing. */
async function replayAll(
  { file, policy, network }: Backtest,
  sessions: Writable,
  figures: Figures,
): Promise<ReadonlySet<string>> {
  const replay = new Replay(policy, await openNetwork(network, Date.now()));
  const degraded = new Set<string>();
  const logins = readLogins(createReadStream(file), (line, why) => {
    figures.invalid += 1;
    if (figures.invalid <= maxPrintedLines) printLine(`${file}: line ${line}: ${why}`);
  });
  for await (const login of logins) {
    const assessment = await replay.assess(login);
    figures.add(login, assessment);
    for (const kind of assessment.degraded) degraded.add(kind);
    if (assessment.recommendation !== "allow")
      await write(sessions, writeSession(login, assessment));
    if (figures.assessed % loginsPerProgress === 0) showProgress(`${figures.assessed} logins`);
  }
  showProgress("");
  return degraded;
}

function namingFile(file: string, error: unknown): unknown {
  if (error instanceof Failure) return new Failure(`${file}: ${error.message}`);
  const isSystemError = error instanceof Error && "syscall" in error;
  return isSystemError ? new Failure(`${file}: ${error.message}`) : error;
}

export interface Backtest extends BacktestOptions {
  readonly file: string;
  /** Undefined: sessions are compared by address and block alone. */
  readonly network: NetworkPlan | undefined;
}

/** Replays the file, writes the report, and prints where it is. @throws Failure if the file cannot be used */
export async function runBacktest(backtest: Backtest): Promise<void> {
  const { file, out, policy } = backtest;
  mkdirSync(out, { recursive: true });
  const figures = new Figures();
  const sessions = createWriteStream(join(out, "sessions.csv"), { mode: ownerOnly });
  sessions.write(sessionsHeader);
  let degraded: ReadonlySet<string>;
  try {
    degraded = await replayAll(backtest, sessions, figures);
  } catch (error) {
    throw namingFile(file, error);
  } finally {
    sessions.end();
    await once(sessions, "close");
  }
  if (figures.assessed === 0) throw new Failure(`${file}: no line has a valid login`);
  writeFileSync(join(out, "days.csv"), writeDays(figures));
  const report = renderReport(figures, policy, basename(file), [...degraded]);
  writeFileSync(join(out, "report.html"), report);
  const { challenge, deny } = figures.real.recommendations;
  process.stdout.write(
    `${figures.real.score.all} real logins: ${challenge} would have been challenged, ${deny} denied. ${figures.invalid} invalid lines.\n${join(out, "report.html")}\n`,
  );
}
