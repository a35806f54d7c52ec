/** Judges what somebody saved of a trail as a whole: checkpoints, keys, and the export under them. */
import { type Checkpoint, openCheckpoint, readKeys } from "./audit-checkpoint.ts";
import { type Problem, verifyExport } from "./audit-verifier.ts";

/** The files that somebody saved; see docs/audit-verification.md. */
export interface SavedTrail {
  /** Gives the export from its beginning. */
  readonly read: () => AsyncIterable<Uint8Array>;
  readonly checkpoint: string;
  readonly older?: string | undefined;
  readonly keys?: string | undefined;
}

export interface Verdict {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
  /** Leaves read of the export. */
  readonly leaves: number;
  /** Undefined where what was saved as such speaks against itself. */
  readonly newest: Checkpoint | undefined;
  readonly older: Checkpoint | undefined;
}

/** Why two checkpoints, each good by itself, do not go together. */
function findDisagreement(newest: Checkpoint, older: Checkpoint): string | undefined {
  const [now, then] = [newest.head, older.head];
  if (then.origin !== now.origin) {
    return `the older checkpoint is of another log: ${then.origin}, not ${now.origin}`;
  }
  if (then.size <= now.size) return undefined;
  return `the older checkpoint covers ${then.size} leaves and the newer one ${now.size}: the log was cut, or the two files are the wrong way round`;
}

/** @throws Failure where a checkpoint or the keys are no such file */
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
