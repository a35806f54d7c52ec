/** Verifies the saved files of a trail together: checkpoints, keys and export. */
import type { ByteSource } from "./bytes.ts";
import { openCheckpoints } from "./checkpoints.ts";
import { verifyExport } from "./export.ts";
import type { Verdict } from "./verdict.ts";

/** The contents of the saved files; docs/audit-verification.md says how to save them. */
export interface SavedTrail {
  /** Reads the answer of `GET /v1/audit/export` from its start. Called a second time only to name moved leaves. */
  readonly read: () => ByteSource | Promise<ByteSource>;
  /** The answer of `GET /v1/audit/checkpoint`, taken before the export. */
  readonly checkpoint: string;
  /** An earlier one: proves that history was not rewritten since. */
  readonly older?: string | undefined;
  /** An earlier answer of `GET /v1/audit/keys`: accept only these keys. */
  readonly keys?: string | undefined;
}

/** A text that is not JSON is no answer of the API either, so it need not be told apart. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Recomputes the tree from the export, and compares it with the signed checkpoints.
 * @throws CannotVerifyError if a checkpoint or the keys are not saved answers, or the runtime lacks Ed25519
 */
export async function verifyTrail(files: SavedTrail): Promise<Verdict> {
  const parse = (text: string | undefined) => (text === undefined ? undefined : parseJson(text));
  const { newest, older, problems, areComparable } = await openCheckpoints({
    newest: parse(files.checkpoint),
    older: parse(files.older),
    keys: parse(files.keys),
  });
  if (newest === undefined) return { ok: false, problems, leaves: 0, newest, older };
  const before = areComparable ? older?.head : undefined;
  const found = await verifyExport(files.read, newest.head, before);
  const all = [...found.problems, ...problems];
  return { ok: all.length === 0, problems: all, leaves: found.leaves, newest, older };
}
