/**
 * Splits a text that arrives in pieces at its line feeds (pure). Node's own reader also splits at carriage returns and
 * at U+2028, which may be in a value, and does not say which one it was.
 */
export async function* splitLines(chunks: AsyncIterable<unknown>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
