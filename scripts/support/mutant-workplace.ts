/** A copy of the repository in which one mutant after the other is judged, by a child that may hang. */
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

/** What tests read. Packages are found where they are, in the folders above. */
const copiedPaths = [
  "src",
  "test",
  "scripts",
  "bench",
  "migrations",
  "docs",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
  "wrangler.toml",
  "README.md",
  "SECURITY.md",
];
/** Generous: only a mutant that runs for ever comes near. */
const timeLimitMs = { inNode: 60_000, inWorkerd: 240_000 };

export class MutantWorkplace {
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(folder: string) {
    this.#folder = resolve(folder);
    // Also when the run is stopped: no test process stays behind.
    process.once("exit", () => this.close());
    rmSync(this.#folder, { recursive: true, force: true });
    for (const name of copiedPaths) {
      cpSync(name, `${this.#folder}/${name}`, { recursive: true });
    }
  }

  /** Whether the target's tests notice this text in place of its own. */
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
    const judged = await promise;
    clearTimeout(timer);
    child.removeAllListeners("message").removeAllListeners("exit");
    if (judged.verdict === "timed out" || child.exitCode !== null) {
      this.#end();
      // The child had no time to put it back.
      cpSync(file, `${this.#folder}/${file}`);
    }
    return judged;
  }

  close(): void {
    this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(): ChildProcess {
    const child = fork("scripts/support/mutant-runner.ts", {
      cwd: this.#folder,
      // A group of its own: what it started ends with it.
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
      // It has ended already.
    }
  }
}
