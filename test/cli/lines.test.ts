import { expect, it } from "vitest";
import { splitLines } from "../../packages/cli/src/backup/lines.ts";

async function* inPieces(text: string, length: number) {
  for (let from = 0; from < text.length; from += length) yield text.slice(from, from + length);
}

it("Lines end at line feeds alone, wherever the text is cut into pieces", async () => {
  const lines = ["INSERT 'a\rb';", "", "'\u2028\u2029\u0085\r';", "last"];
  for (let length = 1; length < 12; length += 1) {
    const found: string[] = [];
    for await (const line of splitLines(inPieces(lines.join("\n"), length))) found.push(line);
    expect(found).toEqual(lines);
  }
});
