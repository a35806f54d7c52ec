/** Reads a whole file before anything is sent: a file that breaks off in the middle imports nothing. */
import type { Entry } from "./entry.ts";

/** @returns the number of entries @throws ReadError if the file is not of the form */
export async function survey(
  entries: AsyncIterable<Entry>,
  onRead: (entries: number) => void,
): Promise<number> {
  let count = 0;
  for await (const _ of entries) {
    count += 1;
    if (count % 1_000 === 0) onRead(count);
  }
  return count;
}
