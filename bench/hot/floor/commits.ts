/**
 * Checks that each write of the floor is committed: the write-ahead logs of its objects must grow by the pages that the
 * write must change. A floor whose writes change nothing looks three times as fast as it is.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../../packages/cli/src/failure.ts";
import type { Loader } from "../loader.ts";
import type { Floor, FloorRoute } from "./start.ts";

/** A page of 4,096 bytes with its header: https://www.sqlite.org/fileformat2.html#walformat */
const frameBytes = 4_096 + 24;

/** The pages that a request must write in each class of objects. */
const expectedPages: readonly (readonly [FloorRoute, Readonly<Record<string, number>>])[] = [
  ["write", { Cell: 1 }],
  ["write-alarm", { Cell: 2 }],
  ["write-deliver", { Cell: 2 }],
  ["discover", { Cell: 1, Watch: 1 }],
  ["discover-deliver", { Cell: 2, Watch: 1 }],
];

/** The total size of the write-ahead logs of a class of objects, below the folder. */
function measureLogs(folder: string, className: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.name.endsWith(".sqlite-wal") && entry.parentPath.endsWith(`-${className}`)) {
      bytes += statSync(join(entry.parentPath, entry.name)).size;
    }
  }
  return bytes;
}

/** @param folder that of the floor's stores @throws Failure if a write was not committed */
export async function checkCommits(floor: Floor, folder: string, loader: Loader): Promise<void> {
  const send = async (route: FloorRoute, id: string) => {
    await loader.run({
      origin: floor.origin,
      pid: floor.pid,
      warmUp: [],
      shots: [floor.shot(route, id)],
      concurrency: 1,
      restMs: floor.restMs,
      collect: false,
    });
  };
  for (const [route, pages] of expectedPages) {
    const id = `check-${route}`;
    // The first request creates the tables.
    await send(route, id);
    const before = Object.keys(pages).map((name) => measureLogs(folder, name));
    await send(route, id);
    for (const [n, [name, count]] of Object.entries(pages).entries()) {
      const grown = measureLogs(folder, name) - (before[n] ?? 0);
      if (grown < count * frameBytes) {
        throw new Failure(
          `The floor's ${route} did not commit what it wrote: the log of its ${name} grew by ${grown} bytes instead of at least ${count * frameBytes}.`,
        );
      }
    }
  }
}
