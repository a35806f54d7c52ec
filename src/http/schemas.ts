/** Schemas that several routes share. */
import { z } from "zod";
import { idPattern } from "../crypto/id-time.ts";
import { assessmentIdPattern } from "../sentinel/assessment.ts";
import { createTextSchema } from "../text-schema.ts";

export { toRfc3339, toRfc3339OrNull } from "../rfc3339.ts";

export const externalId = createTextSchema(1, 255).meta({
  description:
    "The tenant's own id of the user. It is opaque, case-sensitive and compared exactly.",
  examples: ["ORG_USR_9921_AFG"],
});

/** The `external_id` in a response. */
export const shownExternalId = z.string().meta({
  description: "The tenant's own id of the user.",
  examples: ["ORG_USR_9921_AFG"],
});

export const id = z
  .string()
  .refine((text) => idPattern.test(text), "must be 24 lower-case hex digits")
  .meta({ pattern: idPattern.source, examples: ["6908bffd1c2e4a5b9d7f0a31"] });

export const assessmentId = z
  .string()
  .refine((text) => assessmentIdPattern.test(text), "must be 48 lower-case hex digits")
  .meta({
    pattern: assessmentIdPattern.source,
    examples: ["01a20a4597691de6cc1dbcad9cff4cd8dbc0866f162dc9a8"],
  });

/** A hash in a response. */
export const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: "SHA-256, hex.", examples: ["0a1b".repeat(16)] });

/** An RFC 3339 time in a response. */
export const instant = z.iso.datetime().meta({ examples: ["2026-08-15T09:30:00.000Z"] });

const rfc3339 = z.regexes.datetime({ offset: true });

/** An RFC 3339 time in a request, converted to Unix ms; a time before 1970, when nothing was stored, to 0. */
export const requestInstant = z
  .string()
  .refine((text) => rfc3339.test(text), "must be an RFC 3339 time such as 2026-08-15T09:30:00Z")
  .meta({ format: "date-time", pattern: rfc3339.source, examples: ["2026-08-15T09:30:00Z"] })
  .transform((text) => Math.max(0, Date.parse(text)));

/** The description of every cursor. */
export const cursorText = "The `next_after` of the previous page.";
/** The `after` of a list whose items have ids. */
export const cursor = id.optional().meta({ description: cursorText });

const maxPageSize = 100;
const defaultPageSize = 20;

/** The `limit` of a page, 1 to 100. */
export const limit = z
  .string()
  .refine(
    (text) => /^[1-9][0-9]{0,2}$/.test(text) && Number(text) <= maxPageSize,
    `must be a whole number from 1 to ${maxPageSize}`,
  )
  .meta({
    description: "The greatest number of items on the page.",
    type: "integer",
    minimum: 1,
    maximum: maxPageSize,
    default: defaultPageSize,
  })
  .transform(Number)
  .default(defaultPageSize);

/** A whole number in a query, from `min` to the greatest that JavaScript has exactly. */
export function createIntegerSchema(min: number) {
  const max = Number.MAX_SAFE_INTEGER;
  return z
    .string()
    .refine(
      (text) => /^(0|[1-9][0-9]{0,15})$/.test(text) && Number(text) >= min && Number(text) <= max,
      `must be a whole number from ${min} to ${max}`,
    )
    .meta({ type: "integer", minimum: min, maximum: max, examples: [min] })
    .transform(Number);
}

export const userQuery = z.strictObject({ externalUserId: externalId });

/** Converts rows to a page and its cursor. The caller reads one row more than the page's size. */
export function pageOf<T extends { readonly id: string }>(rows: readonly T[], size: number) {
  const page = rows.slice(0, size);
  const hasMore = rows.length > size;
  return { page, has_more: hasMore, next_after: hasMore ? (page.at(-1)?.id ?? null) : null };
}
