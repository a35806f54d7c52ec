/** Reads a file that one person's app wrote, which is small. */
import type { Chunks } from "./entry.ts";
import { ReadError } from "./read-error.ts";

const maxLength = 16 * 1024 * 1024;

/** @throws ReadError if the text is too long */
export async function readWholeText(chunks: Chunks): Promise<string> {
  let text = "";
  for await (const chunk of chunks) {
    text += chunk;
    if (text.length > maxLength) throw new ReadError(`has more than ${maxLength} characters.`);
  }
  return text;
}
