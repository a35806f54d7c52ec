/** Reads the values of a large JSON document one by one, so that only one of them is in memory. */
import { Tokenizer, TokenParser } from "@streamparser/json";
import type { Chunks } from "./entry.ts";
import { ReadError } from "./read-error.ts";

export interface JsonValue {
  readonly value: unknown;
  /** From 1, over all paths. */
  readonly number: number;
}

/**
 * The values at the paths, such as `$.users.*`, in their order. Several documents may follow each other, so a list of
 * pages and NDJSON can be read too.
 *
 * @throws ReadError if the text is not JSON
 */
export async function* readJsonStream(
  chunks: Chunks,
  paths: readonly string[],
): AsyncGenerator<JsonValue> {
  const found: unknown[] = [];
  let position = 0;
  const tokenizer = new Tokenizer({ separator: "" });
  const parser = new TokenParser({ paths: [...paths], keepStack: false, separator: "" });
  tokenizer.onToken = (token) => {
    position = token.offset;
    parser.write(token);
  };
  parser.onValue = ({ value }) => found.push(value);
  const attempt = (step: () => void) => {
    try {
      step();
    } catch {
      // The library's message would show a part of the text.
      throw new ReadError(`is not JSON after character ${position}.`);
    }
  };
  let number = 0;
  const take = () => found.splice(0).map((value) => ({ value, number: ++number }));
  for await (const chunk of chunks) {
    attempt(() => tokenizer.write(chunk));
    yield* take();
  }
  attempt(() => {
    if (!tokenizer.isEnded) tokenizer.end();
    if (!parser.isEnded) parser.end();
  });
  yield* take();
}
