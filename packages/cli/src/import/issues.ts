/** Reads parts of a file with schemas. What is reported of an invalid part is its path, and none of its content. */
import { z } from "zod";

/** What is wrong with the first field that is wrong. */
export function describeShape({ issues }: z.ZodError): string {
  const [issue] = issues;
  const path = issue?.path.join(".") ?? "";
  return path === "" ? "it has another form" : `${path} is missing or has another form`;
}

/** Absent, null or an empty text. */
export const optionalText = z
  .string()
  .nullish()
  .transform((text) => text || undefined);

export const optionalNumber = z
  .number()
  .nullish()
  .transform((value) => value ?? undefined);

/** Parses JSON that stands in a text, as undefined if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The platform's message would show a part of the text.
    return undefined;
  }
}
