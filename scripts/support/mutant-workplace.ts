/** Evaluates mutants one after the other, in a copy of the repository and a child process that may hang. */
import { type ChildProcess, fork } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { type Order, reportSchema } from "./mutant-runner.ts";
import type { Target } from "./mutant-targets.ts";

export type Verdict = "killed" | "timed out" | "survived";

export interface Evaluation {
  readonly verdict: Verdict;
  /** The test file that failed; empty where none did. */
  readonly by: string;
}

/** The files that tests read. Packages resolve from the folders above. */
const copiedPaths = [
  "src",
  "test",
  "scripts",
  "bench",
  "packages/sdk/src",
  "migrations",
  "docs",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
  "wrangler.toml",
  "README.md",
  "SECURITY.md",
];
/** Only a mutant that loops forever takes as long. */
const timeLimitMs = { inNode: 60_000, inWorkerd: 240_000 };

export class MutantWorkplace {
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(folder: string) {
    this.#folder = resolve(folder);
    // No test process may outlive this one.
    process.once("exit", () => this.close());
    rmSync(this.#folder, { recursive: true, force: true });
    for (const name of copiedPaths) {
      cpSync(name, `${this.#folder}/${name}`, { recursive: true });
    }
  }

  /** Runs the target's tests with this text in place of its source. */
  async evaluate({ file, inNode, inWorkerd }: Target, text: string): Promise<Evaluation> {
    this.#child ??= this.#start();
    const child = this.#child;
    const order: Order = { file, text, inNode: [...inNode], inWorkerd: [...inWorkerd] };
    const limit = inWorkerd.length > 0 ? timeLimitMs.inWorkerd : timeLimitMs.inNode;
    const { promise, resolve: settle } = Promise.withResolvers<Evaluation>();
    const timer = setTimeout(() => settle({ verdict: "timed out", by: "" }), limit);
    child.once("message", (message) => {
      const { isKilled, by } = reportSchema.parse(message);
      settle({ verdict: isKilled ? "killed" : "survived", by });
    });
    child.once("exit", () => settle({ verdict: "killed", by: "the end of the test process" }));
    child.send(order);
    const evaluation = await promise;
    clearTimeout(timer);
    child.removeAllListeners("message").removeAllListeners("exit");
    if (evaluation.verdict === "timed out" || child.exitCode !== null) {
      this.#end();
      // The child could not restore the source.
      cpSync(file, `${this.#folder}/${file}`);
    }
    return evaluation;
  }

  close(): void {
    this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(): ChildProcess {
    const child = fork("scripts/support/mutant-runner.ts", {
      cwd: this.#folder,
      // A process group of its own, so that its children end with it.
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    return child;
  }

  #end(): void {
    const pid = this.#child?.pid;
    this.#child = undefined;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The process has ended.
    }
  }
}
