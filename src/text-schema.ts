/** Text in requests: its length and its characters. */
import { z } from "zod";

// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches what is rejected.
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Matches text without control characters, for the OpenAPI document. A lone surrogate is no character, and has no
 * place in a pattern: many languages match UTF-16, and would refuse every emoji.
 * @param excluded further characters that the text must not contain
 */
export function buildTextPattern(excluded = ""): string {
  return `^[^${excluded}\\x00-\\x1f\\x7f-\\x9f]*$`;
}

/** Text of a number of characters (code points). It is stored and compared exactly as sent. */
export function createTextSchema(min: number, max: number) {
  return z
    .string()
    .refine((text) => text.isWellFormed(), "must not contain a lone surrogate")
    .refine((text) => !controlCharacter.test(text), "must not contain control characters")
    .refine((text) => {
      const { length } = [...text];
      return length >= min && length <= max;
    }, `must have ${min} to ${max} characters`)
    .meta({ minLength: min, maxLength: max, pattern: buildTextPattern() });
}
