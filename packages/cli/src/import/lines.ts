/** Splits a text into lines. Only one is in memory. */
import type { Chunks } from "./entry.ts";
import { ReadError } from "./read-error.ts";

const maxLineLength = 1024 * 1024;

export interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
}

/** Lines that are not empty, without white space around them. @throws ReadError if a line is too long */
export async function* readLines(chunks: Chunks): AsyncGenerator<Line> {
  let rest = "";
  let number = 0;
  const split = function* (text: string): Generator<Line> {
    for (const line of text.split("\n")) {
      number += 1;
      const trimmed = line.trim();
      if (trimmed !== "") yield { text: trimmed, number };
    }
  };
  for await (const chunk of chunks) {
    rest += chunk;
    const end = rest.lastIndexOf("\n");
    if (end !== -1) {
      yield* split(rest.slice(0, end));
      rest = rest.slice(end + 1);
    }
    if (rest.length > maxLineLength) {
      throw new ReadError(
        `has a line of more than ${maxLineLength} characters, line ${number + 1}.`,
      );
    }
  }
  yield* split(rest);
}
