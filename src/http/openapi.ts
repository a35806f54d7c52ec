/** The OpenAPI 3.1 document, generated from the routes and thus from the schemas that validate requests. */
import { type ZodRawShape, z } from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from "zod-openapi";
import packageJson from "../../package.json" with { type: "json" };
import { type ErrorCode, messageOf, statusOf } from "../errors.ts";
import { keyHeader, keyPattern } from "./idempotency-key.ts";
import { keepsAnswers, none, type Route, type RouteDefinition } from "./route.ts";
import { id, instant } from "./schemas.ts";

/** Fields of error bodies besides `error`, `code` and `request_id`. */
const errorFields: Partial<Record<ErrorCode, ZodRawShape>> = {
  invalid_request: { issues: z.array(z.object({ path: z.string(), message: z.string() })) },
  invalid_code: {
    attempts_remaining: z.int().min(0),
    locked_until: instant.nullable().meta({ description: "Set if this failure locked the user." }),
    retry_after_seconds: z.int().nullable(),
  },
  code_already_used: {
    attempts_remaining: z.int().min(0),
    locked_until: instant.nullable(),
    retry_after_seconds: z.int().nullable(),
  },
  user_locked: { locked_until: instant.nullable(), retry_after_seconds: z.int().nullable() },
};

const errorHeaders: Partial<Record<ErrorCode, readonly [string, string]>> = {
  missing_token: ["WWW-Authenticate", "The challenge of RFC 6750."],
  insufficient_scope: ["WWW-Authenticate", "Names the missing permission (RFC 6750)."],
  invalid_code: ["Retry-After", "Seconds until the lock ends, if this failure locked the user."],
  user_locked: ["Retry-After", "Seconds until the lock ends."],
  rate_limited: ["Retry-After", "Seconds until the limit resets."],
};

function errorsOf(definition: RouteDefinition): ErrorCode[] {
  const { access, body, errors = [] } = definition;
  const codes: ErrorCode[] = ["invalid_request", "body_too_large", "internal_error", "unavailable"];
  codes.push("invalid_json");
  if (body !== none) codes.push("unsupported_media_type");
  if (access.kind !== "public") codes.push("missing_token", "invalid_token", "rate_limited");
  if (access.kind !== "public" && access.kind !== "operator") codes.push("insufficient_scope");
  if (keepsAnswers(definition)) codes.push("idempotency_in_progress", "idempotency_mismatch");
  return [...codes, ...errors];
}

/** Schemas of error bodies by name, so that equal ones become one component of the document. */
type ErrorSchemas = Map<string, z.ZodType>;

function componentNameOf(codes: readonly ErrorCode[]): string {
  const capitalised = codes.join("_or_").split("_");
  return `Error_${capitalised.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("")}`;
}

function createErrorSchema(
  codes: readonly ErrorCode[],
  definition: RouteDefinition,
  known: ErrorSchemas,
): z.ZodType {
  const hasOwnFields = codes.some((code) => definition.errorFields?.[code] !== undefined);
  const name = componentNameOf(codes) + (hasOwnFields ? `_${definition.name}` : "");
  const fields = codes.flatMap((code) =>
    Object.entries({ ...errorFields[code], ...definition.errorFields?.[code] }),
  );
  const schema =
    known.get(name) ??
    z
      .object({
        error: z.string().meta({ description: "What is wrong, and what to do about it." }),
        code: z.enum(codes),
        request_id: id,
        ...Object.fromEntries(fields.map(([field, type]) => [field, z.optional(type)])),
      })
      .meta({ id: name });
  known.set(name, schema);
  return schema;
}

function createErrorResponses(
  definition: RouteDefinition,
  known: ErrorSchemas,
): ZodOpenApiOperationObject["responses"] {
  const byStatus = Map.groupBy(errorsOf(definition), statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => {
      const headersOfCodes = codes.flatMap((code) => {
        const header = errorHeaders[code];
        return header === undefined ? [] : [header];
      });
      const headers = Object.fromEntries(
        headersOfCodes.map(([name, description]) => [
          name,
          { description, schema: { type: "string" as const } },
        ]),
      );
      return [
        String(status),
        {
          description: codes.map((code) => `\`${code}\`: ${messageOf(code)}`).join("\n\n"),
          headers,
          content: { "application/json": { schema: createErrorSchema(codes, definition, known) } },
        },
      ];
    }),
  );
}

/** Headers of successful responses, besides their content type. */
function responseHeadersOf(definition: RouteDefinition) {
  const { access } = definition;
  const isLimited = access.kind !== "public" && access.kind !== "operator";
  const header = (description: string) => ({ description, schema: { type: "string" as const } });
  return {
    ...(keepsAnswers(definition)
      ? {
          "Idempotent-Replayed": header(
            "`true` if this is the response of an earlier request with the same key.",
          ),
        }
      : {}),
    ...(isLimited
      ? {
          "RateLimit-Policy": header("Limits that the request counted against."),
          RateLimit: header("Remaining quota per limit, where known."),
        }
      : {}),
  };
}

function createResponses(definition: RouteDefinition): ZodOpenApiOperationObject["responses"] {
  const headers = responseHeadersOf(definition);
  return Object.fromEntries(
    Object.entries(definition.responses).map(([status, { description, body, contentType }]) => [
      status,
      {
        description,
        headers,
        ...(body === undefined
          ? {}
          : { content: { [contentType ?? "application/json"]: { schema: body } } }),
      },
    ]),
  );
}

const postHeaders = z.object({
  [keyHeader]: z.string().regex(keyPattern).optional().meta({
    description:
      "A value of your choice, new for each request. Within 24 hours, the same request with the same key returns the first response (`Idempotent-Replayed: true`) and changes nothing.",
  }),
});

function createOperation(
  definition: RouteDefinition,
  errors: ErrorSchemas,
): ZodOpenApiOperationObject {
  const { access, body, query, path } = definition;
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => name);
  const params = z.object(Object.fromEntries(names.map((name) => [name, id])));
  return {
    operationId: definition.name,
    summary: definition.summary,
    description:
      access.kind === "public" ? "Requires no token." : `Permission: \`${access.kind}\`.`,
    tags: [definition.tag],
    security: access.kind === "public" ? [] : [{ bearer: [] }],
    requestParams: {
      ...(names.length === 0 ? {} : { path: params }),
      ...(query instanceof z.ZodObject && query !== none ? { query } : {}),
      ...(keepsAnswers(definition) ? { header: postHeaders } : {}),
    },
    ...(body === none
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: { ...createResponses(definition), ...createErrorResponses(definition, errors) },
  };
}

export function createOpenApiDocument(routes: readonly Route[]) {
  const paths: ZodOpenApiPathsObject = {};
  const errors: ErrorSchemas = new Map();
  for (const { definition } of routes) {
    const path = definition.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [definition.method]: createOperation(definition, errors) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: {
      title: "Edge IDP",
      version: packageJson.version,
      description:
        "Multi-tenant identity provider and MFA API. Every error body is an object with `error`, `code` and `request_id`; unknown fields are rejected.",
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description:
            "The tenant's API token, or the operator token if the permission is `operator`.",
        },
      },
    },
  });
}

export type OpenApiDocument = ReturnType<typeof createOpenApiDocument>;
