/** Opens the newest checkpoint of a log and an older one, and compares them. */
import { openCheckpoint, readKeys } from "./checkpoint.ts";
import type { CheckpointVerdict, Problem, SignedCheckpoint } from "./verdict.ts";

/** The answers of the API that name the checkpoints and keys. */
interface Answers {
  readonly newest: unknown;
  readonly older?: unknown;
  readonly keys?: unknown;
}

/** Why two valid checkpoints contradict each other. */
function findDisagreement(newest: SignedCheckpoint, older: SignedCheckpoint): string | undefined {
  const [now, then] = [newest.head, older.head];
  if (then.origin !== now.origin) {
    return `the older checkpoint is of another log: ${then.origin}, not ${now.origin}`;
  }
  if (then.size <= now.size) return undefined;
  return `the older checkpoint covers ${then.size} leaves and the newer one ${now.size}: the log was cut, or the two files are the wrong way round`;
}

interface OpenedCheckpoints extends CheckpointVerdict {
  /** Whether both are valid, and may be of one log. */
  readonly areComparable: boolean;
}

/** @throws CannotVerifyError if an answer is something else */
export async function openCheckpoints(answers: Answers): Promise<OpenedCheckpoints> {
  const pinned = answers.keys === undefined ? undefined : readKeys(answers.keys);
  const problems: Problem[] = [];
  const open = async (answer: unknown, which: "checkpoint" | "older checkpoint") => {
    const opened = await openCheckpoint(answer, which, pinned);
    if ("head" in opened) return opened;
    problems.push(opened);
    return undefined;
  };
  const newest = await open(answers.newest, "checkpoint");
  const older =
    answers.older === undefined ? undefined : await open(answers.older, "older checkpoint");
  if (newest === undefined || older === undefined) {
    return { ok: problems.length === 0, problems, newest, older, areComparable: false };
  }
  const wrong = findDisagreement(newest, older);
  if (wrong !== undefined) problems.push({ leaf: null, kind: "checkpoint", message: wrong });
  if (pinned === undefined && older.publicKey !== newest.publicKey) {
    const message =
      "the older checkpoint is signed by another key; if the service has changed its key, say with --keys which ones are its own";
    problems.push({ leaf: null, kind: "key", message });
  }
  const areComparable = wrong === undefined;
  return { ok: problems.length === 0, problems, newest, older, areComparable };
}
