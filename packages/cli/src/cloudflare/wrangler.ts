/** Runs the project's own wrangler, which knows how to upload a Worker, apply migrations and export a database. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { Failure } from "../failure.ts";

export interface WranglerOptions {
  readonly project: string;
  readonly timeLimitMs: number;
  /** Besides those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Values that no message may contain. */
  readonly secrets?: readonly string[];
}

/** The lines that a message about a failure repeats. */
const shownLines = 12;

/** Ends the process and its children: wrangler starts itself anew. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch {
    // All processes have ended.
  }
}

function hideSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "…"), text);
}

/**
 * Returns what wrangler printed to standard output. It asks no questions, because its standard input is closed.
 * @throws Failure with the end of its output
 */
export async function runWrangler(
  args: readonly string[],
  { project, timeLimitMs, environment = {}, secrets = [] }: WranglerOptions,
): Promise<string> {
  const program = join(project, "node_modules", "wrangler", "bin", "wrangler.js");
  if (!existsSync(program)) throw new Failure("wrangler is not installed: run npm ci first.");
  const child = spawn(process.execPath, [program, ...args], {
    cwd: project,
    env: {
      ...process.env,
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_SEND_ERROR_REPORTS: "false",
      WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that its children can be ended too.
    detached: process.platform !== "win32",
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString("utf8");
  });
  let end: string | undefined;
  const stop = (reason: string) => {
    end ??= reason;
    killGroup(child.pid);
  };
  const timer = setTimeout(() => stop(`took longer than ${timeLimitMs / 1_000} s`), timeLimitMs);
  const interrupt = () => stop("was interrupted");
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code === 0) return output;
    const lines = stripVTControlCharacters(`${output}\n${errors}`)
      .split("\n")
      .filter((line) => line.trim() !== "");
    const shown = hideSecrets(lines.slice(-shownLines).join("\n"), secrets);
    const options = args.findIndex((arg) => arg.startsWith("-"));
    const name = args.slice(0, options === -1 ? args.length : options).join(" ");
    throw new Failure(`${shown}\nwrangler ${name} ${end ?? `failed (exit code ${code})`}.`);
  } finally {
    clearTimeout(timer);
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}
