/** Backs up D1 databases before an upgrade: as `edge-idp backup` does, and with the bookmarks of D1 Time Travel. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { backUp } from "../backup/back-up.ts";
import { findShard, type ProjectDatabase } from "../backup/wrangler.ts";
import { configurationFile } from "./configuration.ts";
import type { Login } from "./login.ts";
import type { BoundDatabase } from "./migrations.ts";
import type { Steps } from "./steps.ts";
import { runWrangler, type WranglerOptions } from "./wrangler.ts";

const bookmarkSchema = z.object({ bookmark: z.string() });

const modes = { folder: 0o700, file: 0o600 };

/** 2026-11-30T00-17-36Z: the time without characters that file names cannot have. */
function formatTime(now: Date): string {
  return now.toISOString().replace(/\.\d+/, "").replaceAll(":", "-");
}

/** A bookmark names the present state of a database, to which D1 can go back for 30 days. */
async function listBookmarks({ api, accountId }: Login, databases: readonly BoundDatabase[]) {
  const entries = [];
  for (const { binding, name: database, id } of databases) {
    const path = `/accounts/${accountId}/d1/database/${id}/time_travel/bookmark`;
    const { bookmark } = await api.get(path, bookmarkSchema);
    entries.push({ binding, database, id, bookmark });
  }
  return entries;
}

function listExported(databases: readonly BoundDatabase[]): ProjectDatabase[] {
  return databases.flatMap(({ binding, name }) => {
    const shard = findShard(binding);
    return shard === undefined ? [] : [{ shard, binding, name }];
  });
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
export async function backUpDeployed(
  steps: Steps,
  login: Login,
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
    mkdirSync(partial, { recursive: true, mode: modes.folder });
    const bookmarks = await listBookmarks(login, databases);
    if (exportsData) {
      const remote = ["--remote", "--skip-confirmation", "--config", configurationFile];
      await backUp({
        folder: partial,
        source: "remote",
        databases: listExported(databases),
        exportTo: (output, { binding }) =>
          runWrangler(["d1", "export", binding, ...remote, "--output", output], wrangler),
        now: now.getTime(),
        onProgress: () => {},
      });
    }
    const text = JSON.stringify({ at: now.toISOString(), databases: bookmarks }, undefined, 2);
    writeFileSync(join(partial, "bookmarks.json"), `${text}\n`, { mode: modes.file });
    renameSync(partial, complete);
    return complete;
  });
}
