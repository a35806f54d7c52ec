/** The building blocks of requests and answers, each defined once. */
import { z } from "zod";
import { idPattern } from "../crypto/id.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/** Text of the given number of characters (code points), kept and compared exactly as sent. */
export function plainText(shortest: number, longest: number) {
  return z
    .string()
    .refine((text) => text.isWellFormed(), "must not hold a lone surrogate")
    .refine((text) => !controlCharacter.test(text), "must not hold control characters")
    .refine((text) => {
      const { length } = [...text];
      return length >= shortest && length <= longest;
    }, `must have ${shortest} to ${longest} characters`)
    .meta({ minLength: shortest, maxLength: longest });
}

export const externalId = plainText(1, 255).meta({
  description: "The tenant's own id of the user: opaque, case-sensitive, compared exactly.",
  examples: ["ORG_USR_9921_AFG"],
});

export const id = z
  .string()
  .refine((text) => idPattern.test(text), "must be 24 lower-case hex digits")
  .meta({ pattern: idPattern.source, examples: ["6908bffd1c2e4a5b9d7f0a31"] });

/** A hash in an answer. */
export const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: "SHA-256, hex." });

/** An RFC 3339 instant in an answer. */
export const instant = z.iso.datetime().meta({ examples: ["2026-08-15T09:30:00.000Z"] });

/** An RFC 3339 instant in a request, read as Unix ms. */
export const requestInstant = z
  .string()
  .refine(
    (text) => z.iso.datetime({ offset: true }).safeParse(text).success && Date.parse(text) >= 0,
    "must be an RFC 3339 time such as 2026-08-15T09:30:00Z",
  )
  .meta({ format: "date-time" })
  .transform((text) => Date.parse(text));

const maxPageSize = 100;
const defaultPageSize = 20;

/** `limit` of a page, 1 to 100. */
export const limit = z
  .string()
  .refine(
    (text) => /^[1-9][0-9]{0,2}$/.test(text) && Number(text) <= maxPageSize,
    `must be a whole number from 1 to ${maxPageSize}`,
  )
  .meta({ type: "integer", minimum: 1, maximum: maxPageSize, default: defaultPageSize })
  .transform(Number)
  .default(defaultPageSize);

/** A whole number in a query, from the given one on. */
export function integerFrom(least: number) {
  return z
    .string()
    .refine(
      (text) => /^(0|[1-9][0-9]{0,14})$/.test(text) && Number(text) >= least,
      `must be a whole number from ${least} on`,
    )
    .meta({ type: "integer", minimum: least })
    .transform(Number);
}

export const userQuery = z.strictObject({ externalUserId: externalId });

/** Splits what was read with one row too many into a page and its cursor. */
export function pageOf<T extends { readonly id: string }>(rows: readonly T[], size: number) {
  const page = rows.slice(0, size);
  const hasMore = rows.length > size;
  return { page, has_more: hasMore, next_after: hasMore ? (page.at(-1)?.id ?? null) : null };
}

export function toRfc3339(time: number): string {
  return new Date(time).toISOString();
}

export function toRfc3339OrNull(time: number | null): string | null {
  return time === null ? null : toRfc3339(time);
}
