/** @hono/zod-validator, wrapped once: every failure has the contract's error shape and our words. */
import { zValidator } from "@hono/zod-validator";
import type { Context } from "hono";
import type { ZodType, z } from "zod";
import { AppError, type Issue, invalidRequest } from "../errors.ts";

type ZodIssue = z.core.$ZodIssue;

/** A body of thousands of wrong parts must not have an answer many times its size. */
const maxIssues = 20;

const kinds: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
};

/** What is wrong, in our words. Never the value that was sent: it may be a code. */
function messageOf(issue: ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case "too_small":
      return `must be ${issue.origin === "string" || issue.origin === "array" ? "longer" : "more"}: ${issue.minimum} at least`;
    case "too_big":
      return `must be ${issue.origin === "string" || issue.origin === "array" ? "shorter" : "less"}: ${issue.maximum} at most`;
    case "invalid_value":
      return `must be one of ${issue.values.map((value) => String(value)).join(", ")}`;
    case "custom":
      return issue.message;
    default:
      return "is not of the expected form";
  }
}

function issuesOf(issue: ZodIssue): Issue[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key].join("."),
      message: "is not a field of this request",
    }));
  }
  return [{ path: path.join("."), message: messageOf(issue) }];
}

/**
 * What the schema makes of a request's body or query. Made once for each route.
 * @returns a function that throws AppError `invalid_request`
 */
export function validatorOf<T extends ZodType>(
  target: "json" | "query",
  schema: T,
): (c: Context) => Promise<z.output<T>> {
  const outputs = new WeakMap<Context, { readonly output: z.output<T> }>();
  const validate = zValidator(target, schema, (result, c) => {
    if (!result.success) {
      throw invalidRequest(result.error.issues.flatMap(issuesOf).slice(0, maxIssues));
    }
    outputs.set(c, { output: result.data });
  });
  return async (c) => {
    await validate(c, async () => {});
    const validated = outputs.get(c);
    if (validated === undefined) throw new AppError("internal_error");
    return validated.output;
  };
}
