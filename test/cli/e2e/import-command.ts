/** Runs `edge-idp users` as an operator does. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..", "..");
const command = join(root, "packages", "cli", "bin", "edge-idp.js");

export interface Account {
  readonly url: string;
  readonly token: string;
}

export interface Finished {
  /** Null after a signal that ended it. */
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

export class UsersCommand {
  readonly ended: Promise<Finished>;
  readonly #child: ChildProcess;

  /** @param cwd a folder outside of any clone, so that nothing but the environment names the service */
  constructor({ url, token }: Account, cwd: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, [command, "users", ...args], {
      cwd,
      env: { ...process.env, IDP_URL: url, IDP_TOKEN: token },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const texts = { output: "", errors: "" };
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      texts.output += chunk.toString("utf8");
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      texts.errors += chunk.toString("utf8");
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code) => resolve({ code, ...texts }));
    });
  }

  signal(name: "SIGINT" | "SIGKILL"): void {
    this.#child.kill(name);
  }
}

export function runUsersCommand(
  account: Account,
  cwd: string,
  args: readonly string[],
): Promise<Finished> {
  return new UsersCommand(account, cwd, args).ended;
}
