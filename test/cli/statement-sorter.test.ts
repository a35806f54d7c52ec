import { expect, it } from "vitest";
import { StatementSorter } from "../../packages/cli/src/backup/statement-sorter.ts";

it("Tables come before rows, and rows that refer to others after these", () => {
  const sorter = new StatementSorter();
  const statements = [
    ["settings", "PRAGMA defer_foreign_keys=TRUE;"],
    ["tables", "CREATE TABLE `api_tokens` (`tenant_id` text REFERENCES `tenants`(`id`));"],
    ["referring", `INSERT INTO "api_tokens" ("tenant_id") VALUES('t');`],
    ["tables", 'CREATE TABLE IF NOT EXISTS "tenants" (`id` text PRIMARY KEY);'],
    ["rows", `INSERT INTO "tenants" ("id") VALUES('CREATE TABLE x REFERENCES y');`],
    ["others", "CREATE UNIQUE INDEX `tenants_by_name` ON `tenants` (`id`);"],
    ["others", "CREATE TRIGGER t BEFORE INSERT ON tenants BEGIN\nSELECT 1;\nEND;"],
  ] as const;
  for (const [part, statement] of statements) expect(sorter.partOf(statement)).toBe(part);
});
