/** @hono/zod-validator, configured once: every failure has the contract's error shape and our messages. */
import { zValidator } from "@hono/zod-validator";
import type { MiddlewareHandler } from "hono";
import { type ZodType, z } from "zod";
import { createInvalidRequest, type Issue } from "../errors.ts";
import type { AppEnv, ValidBody } from "./request-context.ts";

type ZodIssue = z.core.$ZodIssue;

/** A body of thousands of invalid parts must not cause a response many times its size. */
const maxIssues = 20;

const typeNames: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
};

const countedUnits: Readonly<Record<string, string>> = { string: "character(s)", array: "item(s)" };

/** Such as "have at least 1 item(s)" for a list, or "be at least 1" for a number. */
function boundOf(origin: string, bound: string): string {
  const unit = countedUnits[origin];
  return unit === undefined ? `be ${bound}` : `have ${bound} ${unit}`;
}

/** Our own message. It never contains the value that was sent, which may be a code. */
function messageOf(issue: ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${typeNames[issue.expected] ?? issue.expected}`;
    case "too_small":
      return `must ${boundOf(issue.origin, `at least ${issue.minimum}`)}`;
    case "too_big":
      return `must ${boundOf(issue.origin, `at most ${issue.maximum}`)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map((value) => String(value)).join(", ")}`;
    case "custom":
      return issue.message;
    default:
      return "has an invalid format";
  }
}

/** Whether the request lacks the field. */
function isMissing(sent: unknown, path: readonly PropertyKey[]): boolean {
  let value = sent;
  for (const name of path) {
    if (typeof value !== "object" || value === null) return false;
    value = Object.getOwnPropertyDescriptor(value, name)?.value;
  }
  return value === undefined;
}

function issuesOf(issue: ZodIssue, sent: unknown): Issue[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key].join("."),
      message: "is not a field of this request",
    }));
  }
  const isRequired = issue.code !== "custom" && isMissing(sent, issue.path);
  return [{ path: path.join("."), message: isRequired ? "is required" : messageOf(issue) }];
}

/** @param result has the value as sent in `data`, unless that is valid. @throws AppError `invalid_request` */
function rejectInvalid(result: { readonly data: unknown; readonly error?: z.core.$ZodError }) {
  if (result.error === undefined) return;
  const issues = result.error.issues.flatMap((issue) => issuesOf(issue, result.data));
  throw createInvalidRequest(issues.slice(0, maxIssues));
}

/** A body with more is refused before its parts are validated: each of them could be an issue, in memory at once. */
const maxListItems = 10_000;

/** Whether the lists in a value have more items together. Without recursion, because a value may be deep. */
function hasTooManyItems(sent: unknown): boolean {
  const waiting = [sent];
  let items = 0;
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) items += value.length;
    if (items > maxListItems) return true;
    for (const part of Object.values(value)) waiting.push(part);
  }
  return false;
}

/** Keeps the value that was sent: the digest of a request with a key covers it. */
function keepSent<T extends ZodType>(schema: T) {
  return z.unknown().transform((sent, context): ValidBody<z.output<T>> => {
    if (hasTooManyItems(sent)) {
      context.addIssue({ code: "custom", message: `must have at most ${maxListItems} list items` });
      return z.NEVER;
    }
    const result = schema.safeParse(sent);
    if (result.success) return { body: result.data, sent };
    for (const issue of result.error.issues) context.addIssue({ ...issue });
    return z.NEVER;
  });
}

/** A middleware after which `c.req.valid(…)` has this type. */
type Validator<Target extends string, T> = MiddlewareHandler<
  AppEnv,
  string,
  { out: Record<Target, T> }
>;

/** Parses the JSON, once for all steps of a request. */
export function validateBody<T extends ZodType>(
  schema: T,
): Validator<"json", ValidBody<z.output<T>>> {
  return zValidator("json", keepSent(schema), rejectInvalid);
}

export function validateQuery<T extends ZodType>(schema: T): Validator<"query", z.output<T>> {
  return zValidator("query", schema, rejectInvalid);
}
