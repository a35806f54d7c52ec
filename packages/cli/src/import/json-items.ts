/** Reads a list in JSON, lists one after the other, or documents one after the other, such as NDJSON. */
import type { Chunks } from "./entry.ts";
import { type JsonValue, readJsonStream } from "./json-stream.ts";

/** The start of a text up to its first character that is not white space, and the whole text. */
export async function peek(
  chunks: Chunks,
): Promise<{ readonly start: string; readonly all: Chunks }> {
  const iterator = chunks[Symbol.asyncIterator]();
  let start = "";
  let isDone = false;
  while (!isDone && start.trim() === "") {
    const next = await iterator.next();
    isDone = next.done === true;
    if (!next.done) start += next.value;
  }
  const readAll = async function* () {
    try {
      if (start !== "") yield start;
      while (!isDone) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return { start: start.trimStart(), all: readAll() };
}

/** @throws ReadError if the text is not JSON */
export async function* readJsonItems(chunks: Chunks): AsyncGenerator<JsonValue> {
  const { start, all } = await peek(chunks);
  yield* readJsonStream(all, [start.startsWith("[") ? "$.*" : "$"]);
}
