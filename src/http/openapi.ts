/** The OpenAPI 3.1 document, generated from the routes and thus from the schemas that validate requests. */
import { type ZodType, z } from "zod";
import type { JSONSchema } from "zod/v4/core";
import {
  createDocument,
  type ZodOpenApiContentObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from "zod-openapi";
import packageJson from "../../package.json" with { type: "json" };
import { actingForHeader, actingForPattern, mayAct } from "./acting-for.ts";
import { keyHeader, keyPattern } from "./idempotency-key.ts";
import { isJsonObject } from "./json-schema.ts";
import { createErrorResponses, createErrorSchema, errorCodesOf } from "./openapi-errors.ts";
import { composeExample } from "./openapi-examples.ts";
import { keepsAnswers, methods, none, type Route, type RouteDefinition } from "./route.ts";
import { id } from "./schemas.ts";

interface DocumentOptions {
  /**
   * Whether answers may have further fields and values. The published document is open, so that a client made
   * from it survives a later version; tests compare the service's answers with a closed one.
   */
  readonly isOpen: boolean;
}

/** The schema of a body as a component. Its name is the operation's, unless the schema has a name already. */
function nameSchema(schema: ZodType, definition: RouteDefinition, suffix: string): ZodType {
  const meta = schema.meta();
  if (meta?.id !== undefined) return schema;
  const name = definition.name.charAt(0).toUpperCase() + definition.name.slice(1);
  return schema.meta({ ...meta, id: `${name}${suffix}` });
}

/** Adds a sentence with the values that an answer has today, in place of a closed list. */
function describeValues(jsonSchema: JSONSchema.BaseSchema, values: readonly unknown[]): void {
  const listed = values.map((value) => `\`${String(value)}\``).join(", ");
  const { description } = jsonSchema;
  const sentence = `Values: ${listed}; expect further ones.`;
  jsonSchema.type = "string";
  jsonSchema.description = description === undefined ? sentence : `${description} ${sentence}`;
  jsonSchema.examples ??= [values[0]];
}

function openAnswer(jsonSchema: JSONSchema.BaseSchema): void {
  if (jsonSchema.type === "object" && jsonSchema.properties !== undefined) {
    jsonSchema.additionalProperties = true;
  }
  // `date-time` says what the long pattern says, and every language has a type for it.
  if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
  if (jsonSchema.propertyNames !== undefined) delete jsonSchema.required;
  delete jsonSchema.propertyNames;
  // A value of several types is any value, because many languages have no type for it.
  const types = jsonSchema.anyOf?.filter(({ type }) => type !== undefined && type !== "null") ?? [];
  if (types.length > 1 && types.every(({ type }) => type !== "object")) delete jsonSchema.anyOf;
  const { enum: values, const: value } = jsonSchema;
  if (values !== undefined) describeValues(jsonSchema, values);
  else if (typeof value === "string") describeValues(jsonSchema, [value]);
  delete jsonSchema.enum;
  delete jsonSchema.const;
}

const maxInt32 = 2 ** 31 - 1;

/** Names the size of integers, which generators need, and leaves out bounds of answers that only JavaScript has. */
function normaliseInteger(jsonSchema: JSONSchema.BaseSchema, io: "input" | "output"): void {
  if ((jsonSchema.maximum ?? Infinity) > maxInt32) jsonSchema.format = "int64";
  if (io === "input") return;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

function adaptSchema(
  jsonSchema: JSONSchema.BaseSchema,
  io: "input" | "output",
  { isOpen }: DocumentOptions,
): void {
  if (jsonSchema.type === "integer") normaliseInteger(jsonSchema, io);
  if (io === "output" && isOpen) openAnswer(jsonSchema);
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
    Object.entries(definition.responses).map(([status, response]) => {
      const { description, body, contentType = "application/json" } = response;
      if (body === undefined) return [status, { description, headers }];
      const schema =
        contentType === "application/json" ? nameSchema(body, definition, "Result") : body;
      return [status, { description, headers, content: { [contentType]: { schema } } }];
    }),
  );
}

const idempotencyHeaders = {
  [keyHeader]: z
    .string()
    .regex(keyPattern)
    .optional()
    .meta({
      description:
        "A value of your choice, new for each request. Within 24 hours, the same request with the same key returns the first response (`Idempotent-Replayed: true`) and changes nothing.",
      examples: ["01987c5e-6f0a-7b3c-9d21-4e8f5a6b7c8d"],
    }),
};

const actingForHeaders = {
  [actingForHeader]: z
    .string()
    .regex(actingForPattern)
    .optional()
    .meta({
      description:
        "The tenant's own id of the administrator or support agent on whose behalf the request acts. The audit trail shows it as `actor.acting_for`.",
      examples: ["ORG_ADMIN_17"],
    }),
};

/** Headers of requests, besides those of their body and their token. */
function requestHeadersOf(definition: RouteDefinition) {
  const { method, access } = definition;
  const shape = {
    ...(keepsAnswers(definition) ? idempotencyHeaders : {}),
    ...(mayAct(method) && access.kind !== "public" ? actingForHeaders : {}),
  };
  return Object.keys(shape).length === 0 ? {} : { header: z.object(shape) };
}

function describeOperation(definition: RouteDefinition): string {
  const { access, description } = definition;
  const permission =
    access.kind === "public" ? "Requires no token." : `Permission: \`${access.kind}\`.`;
  const codes = errorCodesOf(definition).map((code) => `\`${code}\``);
  return `${description}\n\n${permission}\n\nError codes: ${codes.join(", ")}.`;
}

function createOperation(
  definition: RouteDefinition,
  errorSchema: ZodType,
): ZodOpenApiOperationObject {
  const { access, body, query, path } = definition;
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => name);
  const pathId = id.meta({ description: "An `id` that the service returned." });
  const params = z.object(Object.fromEntries(names.map((name) => [name, pathId])));
  return {
    operationId: definition.name,
    summary: definition.summary,
    description: describeOperation(definition),
    tags: [definition.tag],
    security: access.kind === "public" ? [] : [{ bearer: [] }],
    requestParams: {
      ...(names.length === 0 ? {} : { path: params }),
      ...(query instanceof z.ZodObject && query !== none ? { query } : {}),
      ...requestHeadersOf(definition),
    },
    ...(body === none
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              "application/json": { schema: nameSchema(body, definition, "Input") },
            },
          },
        }),
    responses: {
      ...createResponses(definition),
      ...createErrorResponses(definition, errorSchema),
    },
    "x-error-codes": errorCodesOf(definition),
  };
}

export type OpenApiDocument = ReturnType<typeof createDocument>;

/** Every request body and response of the document that is not a reference. */
function listContents(document: OpenApiDocument): ZodOpenApiContentObject[] {
  const operations = Object.values(document.paths ?? {}).flatMap((item) =>
    methods.map((method) => item[method]),
  );
  return operations.flatMap((operation) => {
    const bodies = [operation?.requestBody, ...Object.values(operation?.responses ?? {})];
    return bodies.flatMap((body: { readonly content?: ZodOpenApiContentObject } | undefined) =>
      body?.content === undefined ? [] : [body.content],
    );
  });
}

/** Gives every body that has no example one. */
function addExamples(document: OpenApiDocument): void {
  const schemas: unknown = document.components?.schemas;
  for (const content of listContents(document)) {
    for (const media of Object.values(content)) {
      if (media === undefined || media.example !== undefined) continue;
      const schema: unknown = media.schema;
      if (!isJsonObject(schema) || !isJsonObject(schemas)) continue;
      media.example = composeExample(schema, schemas);
    }
  }
}

/** The tags of the operations, in the order of the document. */
const tags = [
  { name: "Identities", description: "Link users by `external_id`, and read and change them." },
  { name: "One-time passwords", description: "TOTP secrets, codes and backup codes of a user." },
  { name: "Sentinel", description: "How risky a session is, and what the score is made of." },
  { name: "Audit", description: "The audit trail, with proofs that it is complete." },
  { name: "Tenancy", description: "Tenants, their API tokens and their settings." },
  { name: "Keys", description: "The service's keys, for the operator." },
  { name: "Health", description: "Whether the service runs and is ready." },
  { name: "Documentation", description: "This document." },
];

export function createOpenApiDocument(
  routes: readonly Route[],
  options: DocumentOptions = { isOpen: true },
): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {};
  const errorSchema = createErrorSchema(routes);
  for (const { definition } of routes) {
    const path = definition.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = {
      ...paths[path],
      [definition.method]: createOperation(definition, errorSchema),
    };
  }
  const document = createDocument(
    {
      openapi: "3.1.0",
      info: {
        title: "Edge IDP",
        version: packageJson.version,
        description:
          "Multi-tenant identity provider and MFA API. Every error body is an object with `error`, `code` and `request_id`. Unknown fields of a request are rejected; answers may get further fields, values and error codes.",
        contact: { name: "The operator of this deployment" },
        license: {
          name: packageJson.license,
          url: "https://www.apache.org/licenses/LICENSE-2.0",
        },
      },
      servers: [{ url: "/", description: "The service that this document comes from." }],
      tags,
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
    },
    {
      outputIdSuffix: "Shown",
      allowEmptySchema: { union: { output: true } },
      override: ({ jsonSchema, io }) => adaptSchema(jsonSchema, io, options),
    },
  );
  addExamples(document);
  return document;
}
