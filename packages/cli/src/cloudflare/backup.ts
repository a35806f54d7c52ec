/** Backs up D1 databases: an export in SQL, and the bookmark of D1 Time Travel. */
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { configurationFile } from "./configuration.ts";
import type { Login } from "./login.ts";
import type { BoundDatabase } from "./migrations.ts";
import type { Steps } from "./steps.ts";
import { runWrangler, type WranglerOptions } from "./wrangler.ts";

const bookmarkSchema = z.object({ bookmark: z.string() });

/** Only the owner can read a backup: it has the ids that tenants give their users, and sealed secrets. */
const privateFolder = 0o700;
const privateFile = 0o600;

/** 2026-11-30T00-17-36Z: the time without characters that file names cannot have. */
function formatTime(now: Date): string {
  return now.toISOString().replace(/\.\d+/, "").replaceAll(":", "-");
}

export interface BackupOptions {
  readonly name: string;
  /** A folder outside of the repository. */
  readonly folder: string;
  /** While D1 exports a database, it answers no other request. */
  readonly exportsData: boolean;
  readonly now: Date;
}

/** @returns the folder of this backup; undefined in a dry run. It exists under this name only if it is complete. */
export async function backUp(
  steps: Steps,
  { api, accountId }: Login,
  wrangler: WranglerOptions,
  databases: readonly BoundDatabase[],
  { name, folder, exportsData, now }: BackupOptions,
): Promise<string | undefined> {
  const complete = join(folder, `${name}-${formatTime(now)}`);
  const act = exportsData ? `exported to ${complete}` : `bookmark noted in ${complete}`;
  const subject = databases.length === 1 ? "backup of the database" : "backup of all databases";
  return await steps.change(subject, act, async () => {
    const partial = `${complete}.part`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true, mode: privateFolder });
    const entries = [];
    for (const { binding, name: databaseName, id } of databases) {
      const path = `/accounts/${accountId}/d1/database/${id}/time_travel/bookmark`;
      const { bookmark } = await api.get(path, bookmarkSchema);
      const file = `${binding}.sql`;
      if (exportsData) {
        const output = join(partial, file);
        // Wrangler writes into the file that is there, and leaves its mode as it is.
        writeFileSync(output, "", { mode: privateFile });
        await runWrangler(
          [
            ...["d1", "export", binding, "--remote", "--output", output],
            ...["--config", configurationFile, "--skip-confirmation"],
          ],
          wrangler,
        );
        chmodSync(output, privateFile);
      }
      entries.push({
        binding,
        database: databaseName,
        id,
        bookmark,
        ...(exportsData ? { file } : {}),
      });
    }
    const summary = JSON.stringify({ at: now.toISOString(), databases: entries }, undefined, 2);
    writeFileSync(join(partial, "backup.json"), `${summary}\n`, { mode: privateFile });
    renameSync(partial, complete);
    return complete;
  });
}
