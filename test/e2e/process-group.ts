/** A command with all the processes that it starts. None of them outlives the check. */
import { type ChildProcess, spawn } from "node:child_process";

const endWithinMs = 15_000;

export class ProcessGroup {
  /** The output of all processes so far. */
  output = "";
  errors = "";
  /** The exit code, after the last process has closed its output; null after a signal. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #hasEnded = false;
  #wake: () => void = () => {};

  /** @param environment variables besides those of this process */
  constructor(
    command: string,
    args: readonly string[],
    cwd: string,
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.#child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.output += chunk.toString("utf8");
      this.#wake();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.errors += chunk.toString("utf8");
      this.#wake();
    });
    // A write to a command that has just ended fails; `ended` reports the end itself.
    this.#child.stdin?.on("error", () => {});
    this.ended = new Promise((resolve) => {
      const end = (code: number | null) => {
        this.#hasEnded = true;
        this.#wake();
        resolve(code);
      };
      this.#child.once("error", (error) => {
        this.errors += String(error);
        end(null);
      });
      this.#child.once("close", end);
    });
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Writes the rest of the input, and ends it. */
  endInput(text = ""): void {
    this.#child.stdin?.end(text);
  }

  /** Waits until the condition holds, and checks it after each output. False when the command ended first. */
  async until(condition: () => boolean): Promise<boolean> {
    while (!condition()) {
      if (this.#hasEnded) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return true;
  }

  /** Sends the signal, and after 15 s kills. True when no kill was necessary. */
  async end(signal: NodeJS.Signals): Promise<boolean> {
    let wasKilled = false;
    this.#send(signal);
    const timer = setTimeout(() => {
      wasKilled = true;
      this.#send("SIGKILL");
    }, endWithinMs);
    await this.ended;
    clearTimeout(timer);
    return !wasKilled;
  }

  #send(signal: NodeJS.Signals): void {
    if (this.#hasEnded || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // All processes have ended.
    }
  }
}
