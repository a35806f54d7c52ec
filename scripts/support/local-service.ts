/** Runs the whole service on this machine. */
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { waitUntilReady } from "../../packages/cli/src/local/wait-until-ready.ts";
import {
  finishWrangler,
  type Running,
  startWorkerProcess,
  startWrangler,
} from "../../packages/cli/src/local/wrangler-process.ts";
import { addressOf, findPublicUrl } from "./local-address.ts";

const root = join(import.meta.dirname, "..", "..");
/** Where wrangler keeps data unless `--persist-to` names another folder. */
const defaultDataFolder = join(".wrangler", "state");

export interface LocalServiceOptions {
  readonly port: number;
  readonly ip: string;
  /** The folder of the data, from the root of the project; wrangler's default if absent. */
  readonly dataFolder?: string | undefined;
  /** Whether wrangler stores a trace of each request. */
  readonly storesTraces: boolean;
}

/** Deletes the traces in the folder, because they contain external_ids of users who may have been erased. */
function deleteTraces(dataFolder: string): void {
  const store = resolve(root, dataFolder, "v3", "observability");
  rmSync(store, { recursive: true, force: true });
}

export interface LocalService {
  readonly url: string;
  readonly process: Running;
  /** The exit code, once it has ended; 0 if it was asked to stop. */
  readonly died: Promise<number>;
  /** @throws Failure if the service does not become ready */
  readonly waitUntilReady: () => Promise<void>;
}

/**
 * Applies the migrations and starts the service, which is not ready yet. The signal stops it.
 * @returns undefined if the signal came before the start
 * @throws Failure if the migrations fail
 */
export async function startLocalService(
  { port, ip, dataFolder, storesTraces }: LocalServiceOptions,
  signal: AbortSignal,
  printProgress: (text: string) => void,
): Promise<LocalService | undefined> {
  const persistence = dataFolder === undefined ? [] : ["--persist-to", dataFolder];
  if (!storesTraces) deleteTraces(dataFolder ?? defaultDataFolder);

  printProgress("Applying migrations …");
  const stopOnSignal = (running: Running) => {
    signal.addEventListener("abort", () => void running.stop(), { once: true });
    return running;
  };
  const migrations = ["d1", "migrations", "apply", "DB", "--local", ...persistence];
  const migration = stopOnSignal(startWrangler(root, migrations));
  await finishWrangler(migration, "apply the migrations").catch((error) => {
    if (!signal.aborted) throw error;
  });
  if (signal.aborted) return undefined;

  printProgress("Starting the service …");
  const url = addressOf(ip, port);
  const publicUrl = findPublicUrl(url);
  const args = [
    ...["--ip", ip, "--port", String(port)],
    ...(publicUrl === undefined ? [] : ["--public-url", publicUrl]),
    ...persistence,
  ];
  const worker = stopOnSignal(startWorkerProcess(root, args, { storesTraces }));
  const died = worker.ended.then((code) => {
    if (signal.aborted) return 0;
    process.stderr.write(`${worker.heldOutput()}\nThe service stopped unexpectedly.\n`);
    // Wrangler exits with 0 even if its child was killed; without a request to stop that is a failure.
    return code || 1;
  });
  return {
    url,
    process: worker,
    died,
    waitUntilReady: () => waitUntilReady(url, signal),
  };
}
