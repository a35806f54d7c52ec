/** Writes the statements of an export into a file, in an order in which D1 can load them. */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { pipeline } from "node:stream/promises";
import { type Part, parts, StatementSorter } from "./statement-sorter.ts";

/** In place of a descriptor. */
const closed = -1;

/** Collects statements in a file for each part. They are next to the file that they make together. */
export class OrderedDump {
  readonly #sorter = new StatementSorter();
  readonly #file: string;
  readonly #open = new Map<Part, number>();

  /** @param file the file that `finish` writes */
  constructor(file: string) {
    this.#file = file;
  }

  add(statement: string): void {
    const part = this.#sorter.partOf(statement);
    let descriptor = this.#open.get(part);
    if (descriptor === undefined) {
      descriptor = openSync(this.#pathOf(part), "w", 0o600);
      this.#open.set(part, descriptor);
    }
    writeSync(descriptor, `${statement}\n`);
  }

  /** Writes all parts, in order, into the file. */
  async finish(): Promise<void> {
    this.#close();
    let flags = "w";
    for (const part of parts.filter((one) => this.#open.has(one))) {
      const target = createWriteStream(this.#file, { flags, mode: 0o600 });
      await pipeline(createReadStream(this.#pathOf(part)), target);
      flags = "a";
    }
  }

  /** Deletes the files of the parts. */
  remove(): void {
    this.#close();
    for (const part of parts) rmSync(this.#pathOf(part), { force: true });
  }

  #pathOf(part: Part): string {
    return `${this.#file}.${part}`;
  }

  #close(): void {
    for (const [part, descriptor] of this.#open) {
      if (descriptor !== closed) closeSync(descriptor);
      this.#open.set(part, closed);
    }
  }
}
