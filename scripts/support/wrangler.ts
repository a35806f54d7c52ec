/** Wrangler as a child process, made quiet: nothing sent home, nothing asked, no network needed. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure } from "./failure.ts";

const stopWithinMs = 5_000;

function environment(): NodeJS.ProcessEnv {
  return {
    // Its output goes through a pipe; colours are for the terminal behind it.
    ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}),
    ...process.env,
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
    // The banner asks the registry for a newer version.
    WRANGLER_HIDE_BANNER: "true",
    // Otherwise asked of a server at every start, with a warning and a stack when offline.
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
}

export interface Running {
  /** Settles once the process has ended; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** What it printed so far; empties itself at `showOutput`. */
  readonly heldOutput: () => string;
  /** From now on its output is shown; what was held so far is dropped. */
  readonly showOutput: () => void;
  /** Ends it and all it started. */
  readonly stop: () => Promise<void>;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch {
    // Nobody is left.
  }
}

/** Starts wrangler with its output held back, so that a failure can show it and success need not. */
export function startWrangler(root: string, args: readonly string[]): Running {
  const child = spawn(
    process.execPath,
    [
      "--import",
      pathToFileURL(join(import.meta.dirname, "end-with-parent.ts")).href,
      join(root, "node_modules", "wrangler", "bin", "wrangler.js"),
      ...args,
    ],
    {
      cwd: root,
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: Ctrl-C reaches this script alone, which then ends wrangler in order.
      detached: process.platform !== "win32",
    },
  );
  let held: Buffer[] | undefined = [];
  const pass = (to: NodeJS.WritableStream) => (chunk: Buffer) => {
    if (held === undefined) to.write(chunk);
    else held.push(chunk);
  };
  child.stdout.on("data", pass(process.stdout));
  child.stderr.on("data", pass(process.stderr));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });

  return {
    ended,
    heldOutput: () => Buffer.concat(held ?? []).toString("utf8"),
    showOutput: () => {
      held = undefined;
    },
    stop: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => signalGroup(child, "SIGKILL"), stopWithinMs);
      await ended;
      clearTimeout(timer);
      // Whatever outlived it.
      signalGroup(child, "SIGKILL");
    },
  };
}

/** Waits for a wrangler command that ends by itself. @throws Failure with what it printed */
export async function finishWrangler(running: Running, purpose: string): Promise<string> {
  const code = await running.ended;
  if (code === 0) return running.heldOutput();
  throw new Failure(`${running.heldOutput()}\nCould not ${purpose}: see above.`);
}
