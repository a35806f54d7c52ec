/** Divides what a file has into requests. The same file always gives the same ones, so an import can be continued. */
import type { Entry, FoundUser } from "./entry.ts";

/** The service takes no more rows, and 512 KiB. */
const maxUsers = 100;
const maxCharacters = 256 * 1024;
/** Entries that are no users bound a batch too, or a file of nothing else would be one. */
const maxEntries = 1_000;

export interface Batch {
  /** From 0. */
  readonly index: number;
  /** In the order of the file. */
  readonly entries: readonly Entry[];
  readonly users: readonly FoundUser[];
}

export async function* divide(entries: AsyncIterable<Entry>): AsyncGenerator<Batch> {
  let held: Entry[] = [];
  let users: FoundUser[] = [];
  let characters = 0;
  let index = 0;
  const take = (): Batch => {
    const batch = { index, entries: held, users };
    [held, users, characters] = [[], [], 0];
    index += 1;
    return batch;
  };
  for await (const entry of entries) {
    const length = entry.kind === "user" ? JSON.stringify(entry.row).length : 0;
    const isFull =
      users.length === maxUsers ||
      held.length === maxEntries ||
      (users.length > 0 && characters + length > maxCharacters);
    if (isFull) yield take();
    held.push(entry);
    characters += length;
    if (entry.kind === "user") users.push(entry);
  }
  if (held.length > 0) yield take();
}
