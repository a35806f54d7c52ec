/** docs/data.md against everything that the service stores: a datum without a row, or a row without a datum, fails. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { is } from "drizzle-orm";
import { getTableConfig, SQLiteTable } from "drizzle-orm/sqlite-core";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import document from "../../docs/data.md?raw";
import { storedEventSchema } from "../../src/audit/event.ts";
import { stateSchema } from "../../src/guard/decisions/state.ts";
import { knownSessionSchema } from "../../src/sentinel/history.ts";
import wrangler from "../../wrangler.toml?raw";
import { Tenant, User } from "../support/client.ts";
import { databases } from "../support/databases.ts";
import { findInventoryProblems, parseInventory } from "../support/inventory.ts";
import { makeObjects } from "../support/made-objects.ts";
import { useQuietConsole } from "../support/quiet-console.ts";
import { listStoredData } from "../support/stored-data.ts";
import { keyWriters, namedKeys, namesInObjects } from "../support/stored-elsewhere.ts";
import { listColumnsOf, listFields, listFieldsOf, readObject } from "../support/stored-names.ts";

useQuietConsole();

const inventory = parseInventory(document);

describe("docs/data.md", () => {
  it("has one row for everything that is stored, and no other", async () => {
    expect(findInventoryProblems(inventory, await listStoredData())).toEqual([]);
  });

  it("spells the keys of KV and R2 as the code does", () => {
    for (const [pattern, key] of [
      ...Object.entries(namedKeys.kv),
      ...Object.entries(namedKeys.r2),
    ]) {
      const escaped = pattern.replaceAll(".", "\\.").replaceAll(/<[^>]+>/g, "[^/]+");
      expect(key).toMatch(new RegExp(`^${escaped}$`));
    }
  });
});

describe("The comparison", () => {
  it("names a column that was added to the database and has no row", async () => {
    const [, , database] = databases();
    await database.prepare("ALTER TABLE identities ADD COLUMN mail_address text").run();
    try {
      const stored = new Map([["D1", await listColumnsOf(database)]]);
      const d1 = new Map([...inventory].filter(([section]) => section === "D1"));
      expect(findInventoryProblems(d1, stored)).toEqual([
        "D1: `identities.mail_address` has no row in docs/data.md",
      ]);
    } finally {
      await database.prepare("ALTER TABLE identities DROP COLUMN mail_address").run();
    }
  });

  it("names a column that was added to an object, and a field that was added to a stored value", async () => {
    const stub = env.EXPORTS.get(env.EXPORTS.idFromName(crypto.randomUUID()));
    await stub.hold({ leaseId: "lease", tokenId: "token" });
    const { columns } = await runInDurableObject(stub, (_object, { storage }) => {
      storage.sql.exec("ALTER TABLE leases ADD COLUMN address TEXT");
      return readObject(storage);
    });
    const session = z.object({ ...knownSessionSchema.shape, city: z.string() });
    const grown = new Map([
      ["Export registers", columns],
      ["Guards: known sessions", listFields(session)],
    ]);
    const sections = new Map([...inventory].filter(([section]) => grown.has(section)));
    expect(findInventoryProblems(sections, grown)).toEqual([
      "Export registers: `leases.address` has no row in docs/data.md",
      "Guards: known sessions: `city` has no row in docs/data.md",
    ]);
  });

  const table = (...rows: readonly string[]) =>
    [
      "## Section",
      "| datum | purpose | class | how long | erasure | expiry | deletion |",
      "| --- | --- | --- | --- | --- | --- | --- |",
      ...rows,
    ].join("\n");
  const stored = new Map([["Section", ["a.b"]]]);
  const find = (...rows: readonly string[]) =>
    findInventoryProblems(parseInventory(table(...rows)), stored);
  const row = (name: string, legalClass = "none") =>
    `| \`${name}\` | purpose | ${legalClass} | a day | deleted | stays | deleted |`;

  it("accepts one complete row for each datum", () => {
    expect(find(row("a.b", "identifier, secret"))).toEqual([]);
  });

  it("names a row of something that is not stored", () => {
    expect(find(row("a.b"), row("a.c"))).toEqual(["Section: `a.c` has a row and is not stored"]);
  });

  it("names a datum with two rows", () => {
    expect(find(row("a.b"), row("a.b"))).toEqual(["Section: `a.b` has more than one row"]);
  });

  it("names a row with an empty cell, and one without a legal class", () => {
    expect(find("| `a.b` | purpose | none | a day | | stays | deleted |")).toEqual([
      "Section: the row `a.b` leaves a cell empty",
    ]);
    expect(find(row("a.b", "harmless"))).toEqual(["Section: the row `a.b` has no legal class"]);
  });

  it("names a section that describes no store", () => {
    const problems = findInventoryProblems(parseInventory(table(row("a.b"))), new Map());
    expect(problems).toEqual(['The section "Section" describes no store']);
  });
});

describe("What the inventory is compared with", () => {
  it("has every column of the schemas of D1", async () => {
    const modules = import.meta.glob<object>("../../src/**/tables.ts", { eager: true });
    const defined = Object.values(modules)
      .flatMap((module) => Object.values(module))
      .filter((value) => is(value, SQLiteTable))
      .map((table) => getTableConfig(table))
      .flatMap(({ name, columns }) => columns.map((column) => `${name}.${column.name}`));
    expect(defined.toSorted()).toEqual((await listColumnsOf(env.DB)).toSorted());
  });

  it("has an object of every class, with every table and key that the source names", async () => {
    const objects = await makeObjects();
    const bindings = [...wrangler.matchAll(/^name = "(\w+)"\nclass_name/gm)].map(
      ([, name]) => name,
    );
    expect([...objects.keys()].toSorted()).toEqual(bindings.toSorted());
    const made = [...objects.values()].flatMap(({ columns, values }) => [
      ...columns.map((column) => column.split(".")[0]),
      ...Object.keys(values),
    ]);
    expect(new Set(made)).toEqual(new Set(namesInObjects));
  });

  it("knows every file that writes to KV or to the bucket", () => {
    expect(keyWriters.toSorted()).toEqual([
      "src/audit/tree/archive-object.ts",
      "src/audit/tree/witness-kv.ts",
      "src/audit/tree/witness-targets.ts",
      "src/sentinel/feeds/kv-store.ts",
      "src/sentinel/population/publish.ts",
    ]);
  });

  it("has the fields of a record, which are those of the guard's state", async () => {
    const user = await User.withTotp(await Tenant.create());
    await user.backupCodes();
    await user.verify(user.wrongCode(Date.now()));
    await user.events();
    const row = await env.DB.prepare("SELECT state FROM identities WHERE id = ?")
      .bind(user.id)
      .first<{ state: string }>();
    const recorded = listFieldsOf(JSON.parse(row?.state ?? "{}"));
    const ownFields = ["form", "id"];
    expect(recorded).toEqual(expect.arrayContaining(ownFields));
    expect(listFields(stateSchema)).toEqual(
      expect.arrayContaining(recorded.filter((field) => !ownFields.includes(field))),
    );
  });

  it("has the archive's fields, which are columns of audit_events", async () => {
    const columns = (await listColumnsOf(env.DB))
      .filter((column) => column.startsWith("audit_events."))
      .map((column) => column.replace("audit_events.", ""));
    const archived = listFields(storedEventSchema).map((field) =>
      field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    );
    const notArchived = ["arrived_at", "secret_id", "time_step"];
    expect(archived.toSorted()).toEqual(
      columns.filter((column) => !notArchived.includes(column)).toSorted(),
    );
  });
});
