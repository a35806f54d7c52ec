/**
 * Puts the statements of an export into an order in which D1 can load them. D1 exports the tables in the order of their
 * creation, each with its rows, so a row may come before the table or the row that it refers to; D1 then refuses its own
 * export ("no such table"). Here all tables come first, then the rows, those that refer to others last, and then indexes
 * and triggers (pure).
 */

export const parts = ["settings", "tables", "rows", "referring", "others"] as const;
export type Part = (typeof parts)[number];

const tablePattern = /^CREATE TABLE (?:IF NOT EXISTS )?["'`]?(\w+)/i;
const rowPattern = /^INSERT INTO ["'`]?(\w+)/i;

/** Says to which part a statement belongs. It has to see each table before the rows of it. */
export class StatementSorter {
  readonly #referring = new Set<string>();

  partOf(statement: string): Part {
    const table = tablePattern.exec(statement)?.[1];
    if (table !== undefined) {
      if (/\bREFERENCES\b/i.test(statement)) this.#referring.add(table);
      return "tables";
    }
    const rowOf = rowPattern.exec(statement)?.[1];
    if (rowOf !== undefined) return this.#referring.has(rowOf) ? "referring" : "rows";
    return /^PRAGMA\b/i.test(statement) ? "settings" : "others";
  }
}
