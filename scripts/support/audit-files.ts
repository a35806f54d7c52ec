/** Verifies the saved files of a trail together: checkpoints, keys and export. */
import { type Checkpoint, openCheckpoint, readKeys } from "./audit-checkpoint.ts";
import { type Problem, verifyExport } from "./audit-verifier.ts";

/** The contents of the saved files; see docs/audit-verification.md. */
export interface SavedTrail {
  /** Reads the export from its start. */
  readonly read: () => AsyncIterable<Uint8Array>;
  readonly checkpoint: string;
  readonly older?: string | undefined;
  readonly keys?: string | undefined;
}

export interface Verdict {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  /** Leaves read from the export. */
  readonly leaves: number;
  /** Undefined if it is not valid. */
  readonly newest: Checkpoint | undefined;
  readonly older: Checkpoint | undefined;
}

/** Why two valid checkpoints contradict each other. */
function findDisagreement(newest: Checkpoint, older: Checkpoint): string | undefined {
  const [now, then] = [newest.head, older.head];
  if (then.origin !== now.origin) {
    return `the older checkpoint is of another log: ${then.origin}, not ${now.origin}`;
  }
  if (then.size <= now.size) return undefined;
  return `the older checkpoint covers ${then.size} leaves and the newer one ${now.size}: the log was cut, or the two files are the wrong way round`;
}

/** @throws Failure if a checkpoint or the keys are not saved answers */
export async function verifyTrail(files: SavedTrail): Promise<Verdict> {
  const pinned = files.keys === undefined ? undefined : readKeys(files.keys);
  const problems: Problem[] = [];
  const open = async (text: string | undefined, which: "checkpoint" | "older checkpoint") => {
    if (text === undefined) return undefined;
    const opened = await openCheckpoint(text, which, pinned);
    if ("head" in opened) return opened;
    problems.push({ leaf: null, ...opened });
    return undefined;
  };
  const newest = await open(files.checkpoint, "checkpoint");
  const older = await open(files.older, "older checkpoint");
  if (newest === undefined) return { ok: false, problems, leaves: 0, newest, older };

  const wrong = older && findDisagreement(newest, older);
  if (wrong !== undefined) problems.push({ leaf: null, kind: "checkpoint", message: wrong });
  if (pinned === undefined && older !== undefined && older.publicKey !== newest.publicKey) {
    const message =
      "the older checkpoint is signed by another key; if the service has changed its key, say with --keys which ones are its own";
    problems.push({ leaf: null, kind: "key", message });
  }
  const before = wrong === undefined ? older?.head : undefined;
  const found = await verifyExport(files.read, newest.head, before);
  const all = [...found.problems, ...problems];
  return { ok: all.length === 0, problems: all, leaves: found.leaves, newest, older };
}
