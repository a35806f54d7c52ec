/** Runs wrangler as child processes without metrics, prompts and network. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure } from "../failure.ts";

const maxStopMs = 5_000;
/** From the root of the project, because the bundled command `edge-idp` starts these scripts too. */
const supportFolder = join("scripts", "support");
/**
 * Without a bound V8 collects garbage late, and the processes grow. The platform's bound is 128 MB, too:
 * https://developers.cloudflare.com/workers/platform/limits/#memory. With background threads, V8 can deadlock at the
 * bound: one waits for a collection, and the collection for it.
 */
const workerdFlags = "--max-heap-size=128 --single-threaded";

interface WranglerOptions {
  /**
   * Whether wrangler stores a trace of each request on disk. Traces contain whole addresses, and with them
   * external_ids that no erasure reaches. They also cost half of the requests per second.
   */
  readonly storesTraces?: boolean;
}

function buildEnvironment({ storesTraces = false }: WranglerOptions): NodeJS.ProcessEnv {
  return {
    // Its output goes through a pipe, but ends on this terminal.
    ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}),
    ...process.env,
    X_LOCAL_OBSERVABILITY: String(storesTraces),
    MINIFLARE_WORKERD_V8_FLAGS: workerdFlags,
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
    // The banner queries the registry for a newer version.
    WRANGLER_HIDE_BANNER: "true",
    // Otherwise each start fetches it, and prints a warning and a stack when offline.
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
}

export interface Running {
  /** Its children run the Worker; undefined if it did not start. */
  readonly pid: number | undefined;
  /** The exit code, once the process has ended; null if a signal ended it. */
  readonly ended: Promise<number | null>;
  /** The output so far; empty after `showOutput`. */
  readonly heldOutput: () => string;
  /** Drops the held output, and prints further output. */
  readonly showOutput: () => void;
  /** Ends the process and all its children. */
  readonly stop: () => Promise<void>;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch {
    // The process has ended.
  }
}

/** Starts a wrangler command and holds its output, so that only a failure prints it. */
export function startWrangler(root: string, args: readonly string[]): Running {
  return startScript(root, join(root, "node_modules", "wrangler", "bin", "wrangler.js"), args, {});
}

/** Starts the Worker with wrangler's development server, and holds the output likewise. */
export function startWorkerProcess(
  root: string,
  args: readonly string[],
  options: WranglerOptions,
): Running {
  return startScript(root, join(root, supportFolder, "worker-process.ts"), args, options);
}

function startScript(
  root: string,
  script: string,
  args: readonly string[],
  options: WranglerOptions,
): Running {
  const child = spawn(
    process.execPath,
    [
      "--import",
      pathToFileURL(join(root, supportFolder, "end-with-parent.ts")).href,
      script,
      ...args,
    ],
    {
      cwd: root,
      env: buildEnvironment(options),
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own: Ctrl-C reaches only this script, which then stops wrangler.
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
    pid: child.pid,
    ended,
    heldOutput: () => Buffer.concat(held ?? []).toString("utf8"),
    showOutput: () => {
      held = undefined;
    },
    stop: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => signalGroup(child, "SIGKILL"), maxStopMs);
      await ended;
      clearTimeout(timer);
      // Children may outlive wrangler.
      signalGroup(child, "SIGKILL");
    },
  };
}

/** Waits for a wrangler command to finish. @throws Failure with its output */
export async function finishWrangler(running: Running, purpose: string): Promise<string> {
  const code = await running.ended;
  if (code === 0) return running.heldOutput();
  throw new Failure(`${running.heldOutput()}\nCould not ${purpose}: see above.`);
}
