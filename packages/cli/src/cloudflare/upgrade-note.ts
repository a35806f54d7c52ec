/**
 * The note of an upgrade that has begun, so that an interrupted one goes on: it does not back up again after the
 * migrations have begun, and it still knows which version to go back to. It has no secrets.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";

const noteSchema = z.object({
  /** The fingerprint of what the upgrade deploys. */
  tag: z.string(),
  startedAt: z.string(),
  /** The version that was active before. */
  previousVersion: z.string(),
  previousMigrationTag: z.string().nullable(),
  /** Whether that version was ready: if not, going back to it helps nobody. */
  wasReady: z.boolean(),
  /** The migrations that databases lacked before. */
  migrations: z.array(z.string()),
  /** The folder of the backup, once it is complete. */
  backup: z.string().nullable(),
});
export type UpgradeNote = z.output<typeof noteSchema>;

const fileOf = (project: string) => join(project, ".wrangler", "edge-idp-upgrade.json");

/** Undefined if no upgrade to this fingerprint has begun. */
export function findUpgradeNote(project: string, tag: string): UpgradeNote | undefined {
  const file = fileOf(project);
  if (!existsSync(file)) return undefined;
  const note = noteSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  return note.success && note.data.tag === tag ? note.data : undefined;
}

/** An interrupted write leaves the old note intact. */
export function writeUpgradeNote(project: string, note: UpgradeNote): void {
  const file = fileOf(project);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(note, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

export function deleteUpgradeNote(project: string): void {
  rmSync(fileOf(project), { force: true });
}
