/** `edge-idp audit verify EXPORT CHECKPOINT`: verifies a trail that `edge-idp audit export` has saved, without the service. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { type Verdict, verifyTrail } from "@edge-idp/sdk/audit";
import { showProgress } from "../progress.ts";
import { requireVerdict } from "./read-file.ts";

const minProgressBytes = 10_000_000;
const progressStepBytes = 1_000_000;

export interface TrailFiles {
  readonly exported: string;
  readonly checkpoint: string;
  readonly older: string | undefined;
  readonly keys: string | undefined;
}

/** Reads the file in chunks, and shows the progress through a large one. */
async function* readChunks(path: string, bytes: number): AsyncGenerator<Uint8Array> {
  let read = 0;
  let shown = 0;
  for await (const chunk of createReadStream(path)) {
    if (!Buffer.isBuffer(chunk)) continue;
    read += chunk.length;
    if (bytes > minProgressBytes && read - shown > progressStepBytes) {
      showProgress(`${Math.floor((100 * read) / bytes)} % of ${(bytes / 1e6).toFixed(0)} MB`);
      shown = read;
    }
    yield chunk;
  }
  showProgress("");
}

/** @throws Failure if there can be no verdict */
export async function verifyFiles({
  exported,
  checkpoint,
  older,
  keys,
}: TrailFiles): Promise<Verdict> {
  const text = (path: string | undefined) =>
    path === undefined ? undefined : readFile(path, "utf8");
  return await requireVerdict(async () => {
    const { size } = await stat(exported);
    return await verifyTrail({
      read: () => readChunks(exported, size),
      checkpoint: await readFile(checkpoint, "utf8"),
      older: await text(older),
      keys: await text(keys),
    });
  });
}
