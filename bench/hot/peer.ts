/** Runs the alternatives under bench/peers/, each as a Node process with SQLite. */
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../../packages/cli/src/failure.ts";
import type { Loader } from "./loader.ts";
import type { Received, Shot } from "./protocol.ts";
import type { Subject } from "./subject.ts";

const folder = join(import.meta.dirname, "..", "peers");
/** Concurrent requests during preparation. */
export const lanes = 8;

/** Installs the alternatives from their lockfile without their scripts, unless that was done. @throws Failure */
export function installPeers(): void {
  const installed = join(folder, "node_modules", ".package-lock.json");
  if (existsSync(installed) && isUpToDate(installed)) return;
  // The npm that runs this script, or the npm on the path.
  const { npm_execpath: script } = process.env;
  const [command, first] = script === undefined ? ["npm", []] : [process.execPath, [script]];
  const args = [...first, "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Failure(`npm ci in bench/peers failed:\n${stderr}`);
}

const lock = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional() })),
});

function readLockfile(file: string): Map<string, string | undefined> {
  const { packages } = lock.parse(JSON.parse(readFileSync(file, "utf8")));
  return new Map(Object.entries(packages).map(([path, { version }]) => [path, version]));
}

/** Compares the lockfile with the list that npm writes when it installs. */
function isUpToDate(installed: string): boolean {
  const wanted = readLockfile(join(folder, "package-lock.json"));
  return [...readLockfile(installed)].every(([path, version]) => wanted.get(path) === version);
}

export abstract class Peer implements Subject {
  abstract readonly name: string;
  readonly origin: string;
  readonly pid: number;
  readonly restMs = 0;
  readonly #child: ChildProcess;
  readonly #loader: Loader;

  constructor(child: ChildProcess, port: number, loader: Loader) {
    if (child.pid === undefined) throw new Error("A process without an id");
    this.#child = child;
    this.#loader = loader;
    this.pid = child.pid;
    this.origin = `http://127.0.0.1:${port}`;
  }

  protected async send(shots: readonly Shot[]): Promise<readonly Received[]> {
    const { origin, pid } = this;
    const { answers } = await this.#loader.run({
      origin,
      pid,
      shots,
      warmUp: [],
      concurrency: lanes,
      restMs: 0,
      collect: true,
    });
    return answers;
  }

  async close(): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, "exit");
  }
}

export async function startPeer(script: string, args: readonly string[]) {
  const child = fork(join(folder, script), args, {
    env: { ...process.env, NODE_ENV: "production" },
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const [port] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => {
      throw new Failure(`bench/peers/${script} did not start: see above.`);
    }),
  ]);
  return { child, port: z.int().parse(port) };
}

export interface PeerUser {
  readonly name: string;
  readonly secret: string;
}

export function peerNames(count: number, kind: string): string[] {
  return Array.from({ length: count }, (_, n) => `${kind}-${n}`);
}
