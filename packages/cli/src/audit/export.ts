/**
 * `edge-idp audit export`: saves what `edge-idp audit verify` reads. The checkpoint is fetched before the export, so that
 * the export has every leaf that the checkpoint covers.
 */
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type EdgeIdp, IdpError } from "@edge-idp/sdk";
import { Failure } from "../failure.ts";
import { ownerOnly } from "../file-mode.ts";
import { showProgress } from "../progress.ts";

const fileNames = {
  checkpoint: "checkpoint.json",
  exported: "export.ndjson",
  keys: "keys.json",
} as const;

/** Connections in a row that may bring no event before the export fails. */
const maxFailures = 3;
const newline = 0x0a;

export interface SavedExport {
  readonly leaves: number;
  /** Paths. */
  readonly files: { readonly [name in keyof typeof fileNames]: string };
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === newline) lines += 1;
  return lines;
}

/**
 * Reads the events with leaf index < `size`, and goes on after a connection that broke. Every chunk of the SDK consists of
 * whole lines, one for each event.
 */
async function* readEvents(idp: EdgeIdp, size: number): AsyncGenerator<Uint8Array> {
  let next = 0;
  let failures = 0;
  while (next < size) {
    const from = next;
    try {
      for await (const chunk of idp.audit.exportBytes({ from, to: size })) {
        next += countLines(chunk);
        showProgress(`${next} of ${size} events`);
        yield chunk;
      }
    } catch (error) {
      failures = next === from ? failures + 1 : 0;
      if (!(error instanceof IdpError) || failures >= maxFailures) throw error;
    }
  }
  showProgress("");
}

/** @throws Failure if the folder has one of the files: an earlier checkpoint is evidence, and is never replaced */
function requireNewFiles(folder: string): SavedExport["files"] {
  const files = {
    checkpoint: join(folder, fileNames.checkpoint),
    exported: join(folder, fileNames.exported),
    keys: join(folder, fileNames.keys),
  };
  const existing = Object.values(files).find((file) => existsSync(file));
  if (existing === undefined) return files;
  throw new Failure(`${existing} exists, and is not replaced; name another folder with --out.`);
}

/** @throws Failure; IdpError if the service ends the export again and again */
export async function saveExport(idp: EdgeIdp, folder: string): Promise<SavedExport> {
  const files = requireNewFiles(folder);
  const keys = await idp.audit.keys();
  const checkpoint = await idp.audit.checkpoint();
  const size = checkpoint.checkpoint.tree_size;
  mkdirSync(folder, { recursive: true });
  const unfinished = `${files.exported}.part`;
  try {
    await pipeline(readEvents(idp, size), createWriteStream(unfinished, { mode: ownerOnly }));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  writeFileSync(files.keys, `${JSON.stringify({ keys })}\n`);
  writeFileSync(files.checkpoint, `${JSON.stringify(checkpoint)}\n`);
  renameSync(unfinished, files.exported);
  return { leaves: size, files };
}
