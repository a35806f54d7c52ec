/**
 * A table in the SQLite database of a Durable Object. It is created with the first write, so an object
 * that was only read stores nothing.
 */
export class SqlTable {
  readonly #sql: SqlStorage;
  readonly #name: string;
  readonly #definition: string;
  /** Whether the table was found missing and was not created since. */
  #isMissing = false;

  /** @param definition what follows the name in `CREATE TABLE`: columns and options */
  constructor(sql: SqlStorage, name: string, definition: string) {
    this.#sql = sql;
    this.#name = name;
    this.#definition = definition;
  }

  exists(): boolean {
    if (this.#isMissing) return false;
    const tables = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", this.#name);
    this.#isMissing = tables.toArray().length === 0;
    return !this.#isMissing;
  }

  /** Creates the table unless it exists. Writes no row. */
  create(): void {
    this.#isMissing = false;
    this.#sql.exec(`CREATE TABLE IF NOT EXISTS ${this.#name} ${this.#definition}`);
  }

  drop(): void {
    this.#sql.exec(`DROP TABLE IF EXISTS ${this.#name}`);
  }
}
