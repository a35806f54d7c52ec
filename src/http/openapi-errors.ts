/** Errors in the OpenAPI document: one component for every error body, and the codes of each operation. */
import { z } from "zod";
import type { ZodOpenApiOperationObject, ZodOpenApiResponseObject } from "zod-openapi";
import { type ErrorCode, messageOf, statusOf } from "../errors.ts";
import { exampleRequestId, examplesOf } from "./openapi-error-examples.ts";
import { keepsAnswers, none, type Route, type RouteDefinition } from "./route.ts";
import { id, instant } from "./schemas.ts";

/** Fields of every error body, and those that several operations have with some codes. */
const commonFields = {
  error: z.string().meta({
    description: "What is wrong, and what to do about it, in one sentence.",
    examples: [messageOf("user_not_found")],
  }),
  code: z.string().meta({
    description:
      "A stable name of the error. `x-error-codes` lists those of each operation; expect further ones.",
    examples: ["user_not_found"],
  }),
  request_id: id.meta({
    description: "The `X-Request-Id` of the answer. The audit trail has it too.",
    examples: [exampleRequestId],
  }),
  issues: z
    .array(
      z
        .object({
          path: z.string().meta({
            description: "The field, such as `user.external_id`. Empty for the body as a whole.",
            examples: ["user.external_id"],
          }),
          message: z.string().meta({
            description: "What is wrong with the field.",
            examples: ["is required"],
          }),
        })
        .meta({ id: "Issue", description: "A field that is not valid." }),
    )
    .optional()
    .meta({ description: "With `invalid_request`: the fields that are not valid." }),
  cause: z
    .string()
    .optional()
    .meta({
      description:
        "With `unavailable`, for the operator's token only: why the service cannot serve the request, as its log names it.",
      examples: ["migrations_missing"],
    }),
  attempts_remaining: z
    .int()
    .min(0)
    .optional()
    .meta({
      description:
        "With `invalid_code` and `code_already_used`: failures that remain until the user is locked.",
      examples: [4],
    }),
  locked_until: instant.nullable().optional().meta({
    description:
      "With `user_locked`, `otp_disabled`, `invalid_code` and `code_already_used`: when the lock ends. Null without a lock.",
  }),
  retry_after_seconds: z
    .int()
    .min(0)
    .nullable()
    .optional()
    .meta({
      description: "The same as `Retry-After`, where the code has a time to wait for.",
      examples: [900],
    }),
};

const headersOfCodes: Partial<Record<ErrorCode, readonly [string, string]>> = {
  missing_token: ["WWW-Authenticate", "The challenge of RFC 6750."],
  insufficient_scope: ["WWW-Authenticate", "Names the missing permission (RFC 6750)."],
  invalid_code: ["Retry-After", "Seconds until the lock ends, if this failure locked the user."],
  user_locked: ["Retry-After", "Seconds until the lock ends."],
  rate_limited: ["Retry-After", "Seconds until the limit resets."],
};

/** The error codes that an operation answers with. */
export function errorCodesOf(definition: RouteDefinition): ErrorCode[] {
  const { access, body, errors = [] } = definition;
  const codes: ErrorCode[] = ["invalid_request", "body_too_large", "internal_error", "unavailable"];
  codes.push("invalid_json");
  if (body !== none) codes.push("unsupported_media_type");
  if (access.kind !== "public") codes.push("missing_token", "invalid_token", "rate_limited");
  if (access.kind !== "public" && access.kind !== "operator") {
    codes.push("tenant_suspended");
    if (access.kind !== "any token") codes.push("insufficient_scope");
  }
  if (keepsAnswers(definition)) codes.push("idempotency_in_progress", "idempotency_mismatch");
  return [...codes, ...errors];
}

/**
 * The schema of every error body. It is open, because a later version may add fields.
 * @param routes the fields that their errors have are described in it too
 */
export function createErrorSchema(routes: readonly Route[]): z.ZodType {
  const ownFields = routes.flatMap(({ definition: { errorFields = {} } }) =>
    Object.values(errorFields).flatMap((fields) =>
      Object.entries(fields).map(([name, schema]) => [name, z.optional(schema)] as const),
    ),
  );
  return z.looseObject({ ...Object.fromEntries(ownFields), ...commonFields }).meta({
    id: "Error",
    description: "An error. Fields other than the first three depend on the code.",
  });
}

function headersOf(codes: readonly ErrorCode[]) {
  const known = codes.flatMap((code) => {
    const header = headersOfCodes[code];
    return header === undefined ? [] : [header];
  });
  return Object.fromEntries(
    known.map(([name, description]) => [
      name,
      { description, schema: { type: "string" as const } },
    ]),
  );
}

/** The responses of an operation's error codes by status, and one for a status that a later version adds. */
export function createErrorResponses(
  definition: RouteDefinition,
  schema: z.ZodType,
): ZodOpenApiOperationObject["responses"] {
  const byStatus = Map.groupBy(errorCodesOf(definition), statusOf);
  const responses = [...byStatus].map(([status, codes]): [string, ZodOpenApiResponseObject] => {
    return [
      String(status),
      {
        description: codes.map((code) => `\`${code}\`: ${messageOf(code)}`).join("\n\n"),
        headers: headersOf(codes),
        content: { "application/json": { schema, examples: examplesOf(codes, definition) } },
        "x-error-codes": codes,
      },
    ];
  });
  const other: ZodOpenApiResponseObject = {
    description: "An error with a status that a later version may add.",
    content: {
      "application/json": { schema, examples: examplesOf(["internal_error"], definition) },
    },
  };
  return { ...Object.fromEntries(responses), default: other };
}
