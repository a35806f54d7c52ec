/** The inventory of docs/data.md: its rows, and how they are compared with what the service stores (pure). */

export const legalClasses = ["identifier", "pseudonym", "secret", "none"] as const;

/** The columns of each table of the inventory. */
const columns = ["datum", "purpose", "class", "how long", "erasure", "expiry", "deletion"];

export interface InventoryRow {
  /** The names in the first cell, such as `identities.state`. */
  readonly names: readonly string[];
  readonly cells: readonly string[];
}

/** The rows of each section, by its heading. A section without such a table has none. */
export type Inventory = ReadonlyMap<string, readonly InventoryRow[]>;

function cellsOf(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, name]) => name ?? []);
}

/** Reads every table of the document that has the columns of the inventory. */
export function parseInventory(document: string): Inventory {
  const sections = new Map<string, InventoryRow[]>();
  let heading = "";
  let isInventory = false;
  for (const line of document.split("\n")) {
    if (line.startsWith("#")) heading = line.replace(/^#+ /, "");
    if (!line.startsWith("|")) {
      isInventory = false;
      continue;
    }
    const cells = cellsOf(line);
    if (cells.join() === columns.join()) {
      isInventory = true;
      sections.set(heading, []);
    } else if (isInventory && !line.startsWith("| ---")) {
      sections.get(heading)?.push({ names: namesIn(cells[0] ?? ""), cells });
    }
  }
  return sections;
}

function findRowProblems(section: string, { names, cells }: InventoryRow): string[] {
  const [first = "", , classes = ""] = cells;
  const row = `${section}: the row ${first}`;
  const isClassified = classes
    .split(", ")
    .every((one) => legalClasses.some((known) => known === one));
  return [
    ...(names.length === 0 ? [`${row} names no datum`] : []),
    ...(cells.length === columns.length && cells.every((cell) => cell !== "")
      ? []
      : [`${row} leaves a cell empty`]),
    ...(isClassified ? [] : [`${row} has no legal class`]),
  ];
}

function findRepeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

/**
 * Compares the inventory with what is stored.
 * @param stored the names of all data, by the section that describes them
 * @returns what is wrong, a sentence each; nothing if every datum has one row and every row a datum
 */
export function findInventoryProblems(
  inventory: Inventory,
  stored: ReadonlyMap<string, readonly string[]>,
): string[] {
  const unknown = [...inventory.keys()].filter((section) => !stored.has(section));
  return [
    ...unknown.map((section) => `The section "${section}" describes no store`),
    ...[...stored].flatMap(([section, names]) => {
      const rows = inventory.get(section) ?? [];
      const named = rows.flatMap((row) => row.names);
      return [
        ...names
          .filter((name) => !named.includes(name))
          .map((name) => `${section}: \`${name}\` has no row in docs/data.md`),
        ...named
          .filter((name) => !names.includes(name))
          .map((name) => `${section}: \`${name}\` has a row and is not stored`),
        ...findRepeated(named).map((name) => `${section}: \`${name}\` has more than one row`),
        ...rows.flatMap((row) => findRowProblems(section, row)),
      ];
    }),
  ];
}
