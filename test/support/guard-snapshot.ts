/** Snapshots of a guard. Restoring one does the same as point-in-time recovery. */
import { runInDurableObject } from "cloudflare:test";
import type { User } from "./client.ts";
import { evict, guardOf } from "./guard.ts";

type Row = Record<string, SqlStorageValue>;

/** Every table of the guard, with its rows. */
export async function readTables(user: Parameters<typeof guardOf>[0]) {
  return await runInDurableObject(guardOf(user), (_guard, { storage }) =>
    storage.sql
      .exec<{ name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
      )
      .toArray()
      .map((table) => ({
        ...table,
        rows: storage.sql.exec<Row>(`SELECT * FROM ${table.name}`).toArray(),
      })),
  );
}

/** Copies the guard's storage. @returns a function that restores the copy and evicts the guard */
export async function snapshotOfGuard(user: User): Promise<() => Promise<void>> {
  const copies = await readTables(user);
  return async () => {
    await runInDurableObject(guardOf(user), async (_guard, { storage }) => {
      await storage.deleteAlarm();
      await storage.deleteAll();
      for (const { name, sql, rows } of copies) {
        storage.sql.exec(sql);
        for (const row of rows) {
          const placeholders = Object.keys(row).map(() => "?");
          storage.sql.exec(
            `INSERT INTO ${name} VALUES (${placeholders.join(", ")})`,
            ...Object.values(row),
          );
        }
      }
    });
    await evict(user);
  };
}
