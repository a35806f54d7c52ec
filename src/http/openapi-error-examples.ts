/** Examples of error bodies in the OpenAPI document: a component for each code, which the operations refer to. */
import { z } from "zod";
import { type ErrorCode, messageOf } from "../errors.ts";
import { isJsonObject, type JsonObject } from "./json-schema.ts";
import { composeExample } from "./openapi-examples.ts";
import type { RouteDefinition } from "./route.ts";

export const exampleRequestId = "6a7f2c1e0b9d4e5f8a3c1d20";

const exampleLock = { locked_until: "2026-08-15T09:45:00.000Z", retry_after_seconds: 900 };

/** Fields of codes that several operations have. */
const fieldsOfCodes: Partial<Record<ErrorCode, object>> = {
  invalid_request: { issues: [{ path: "externalUserId", message: "is required" }] },
  invalid_code: { attempts_remaining: 4, locked_until: null, retry_after_seconds: null },
  code_already_used: { attempts_remaining: 5, locked_until: null, retry_after_seconds: null },
  user_locked: exampleLock,
  otp_disabled: exampleLock,
};

function createExample(code: ErrorCode, fields: object) {
  return {
    summary: code,
    value: { error: messageOf(code), code, request_id: exampleRequestId, ...fields },
  };
}

/** The components that `examplesOf` refers to. */
export function createErrorExamples(codes: Iterable<ErrorCode>) {
  return Object.fromEntries(
    [...codes].map((code) => [code, createExample(code, fieldsOfCodes[code] ?? {})]),
  );
}

/** The fields that the operation's own definition gives the code. */
function exampleOfFields(fields: z.ZodRawShape): object {
  const schema: unknown = z.toJSONSchema(z.object(fields), {
    io: "output",
    unrepresentable: "any",
  });
  if (!isJsonObject(schema)) return {};
  const components: JsonObject = isJsonObject(schema.$defs) ? schema.$defs : {};
  return Object(composeExample(schema, components));
}

/** The examples of one response, by code. */
export function examplesOf(codes: readonly ErrorCode[], { errorFields = {} }: RouteDefinition) {
  return Object.fromEntries(
    codes.map((code) => {
      const fields = errorFields[code];
      return fields === undefined
        ? [code, { $ref: `#/components/examples/${code}` }]
        : [code, createExample(code, exampleOfFields(fields))];
    }),
  );
}
