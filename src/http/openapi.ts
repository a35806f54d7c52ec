/** The OpenAPI 3.1 document, generated from the routes and thus from the schemas that validate requests. */
import { type ZodType, z } from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from "zod-openapi";
import packageJson from "../../package.json" with { type: "json" };
import { actingForHeader, actingForPattern, mayAct } from "./acting-for.ts";
import { keyHeader, keyPattern } from "./idempotency-key.ts";
import { addExamples, type OpenApiDocument } from "./openapi-completion.ts";
import { createErrorExamples } from "./openapi-error-examples.ts";
import { createErrorResponses, createErrorSchema, errorCodesOf } from "./openapi-errors.ts";
import { adaptSchema, type DocumentOptions } from "./openapi-schemas.ts";
import { keepsAnswers, none, type Route, type RouteDefinition } from "./route.ts";
import { assessmentId, id } from "./schemas.ts";

/** The schema of a body as a component. Its name is the operation's, unless the schema has a name already. */
function nameSchema(schema: ZodType, definition: RouteDefinition, suffix: string): ZodType {
  const meta = schema.meta();
  if (meta?.id !== undefined) return schema;
  const name = definition.name.charAt(0).toUpperCase() + definition.name.slice(1);
  return schema.meta({ ...meta, id: `${name}${suffix}` });
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
  const schemaOf = (name: string) =>
    name === "assessmentId"
      ? assessmentId.meta({ description: "The `assessment_id` that discover returned." })
      : pathId;
  const params = z.object(Object.fromEntries(names.map((name) => [name, schemaOf(name)])));
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

/** The tags of the operations, in the order of the document. */
const tags = [
  { name: "Identities", description: "Link users by `external_id`, and read and change them." },
  { name: "One-time passwords", description: "TOTP secrets, codes and backup codes of a user." },
  { name: "Passkeys", description: "Passkeys of a user: registration, administration and login." },
  {
    name: "Known devices",
    description:
      "Devices on which a user was verified, which a lock by strangers does not keep out.",
  },
  {
    name: "Step-up tokens",
    description: "Proofs of a verification, which other services check by themselves.",
  },
  { name: "Sentinel", description: "How risky a session is, and what the score is made of." },
  { name: "Audit", description: "The audit trail, with proofs that it is complete." },
  {
    name: "Webhooks",
    description: "Webhooks, which receive the events of the audit trail as they happen.",
  },
  {
    name: "Streams",
    description:
      "Streams, which send the whole audit trail to Splunk, Datadog, a bucket or another receiver.",
  },
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
  const commonCodes = new Set(
    routes.flatMap(({ definition }) =>
      errorCodesOf(definition).filter((code) => definition.errorFields?.[code] === undefined),
    ),
  );
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
        examples: createErrorExamples(commonCodes),
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
      override: ({ jsonSchema, zodSchema, io }) => {
        // zod leaves out the examples of a schema that converts what was sent.
        const { examples } = z.globalRegistry.get(zodSchema) ?? {};
        if (Array.isArray(examples)) jsonSchema.examples = examples;
        adaptSchema(jsonSchema, io, options);
      },
    },
  );
  addExamples(document);
  return document;
}
