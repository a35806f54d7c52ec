/** Completes the OpenAPI document with what follows from its schemas: examples, and descriptions of parameters. */
import type { createDocument, ZodOpenApiContentObject } from "zod-openapi";
import { isJsonObject, type JsonObject } from "./json-schema.ts";
import { composeExample } from "./openapi-examples.ts";
import { methods } from "./route.ts";

export type OpenApiDocument = ReturnType<typeof createDocument>;

type Operation = NonNullable<NonNullable<OpenApiDocument["paths"]>[string]["get"]>;

function listOperations(document: OpenApiDocument): Operation[] {
  return Object.values(document.paths ?? {}).flatMap((item) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [operation];
    }),
  );
}

/** The request body and the responses of an operation that are not references. */
function listContents(operation: Operation): ZodOpenApiContentObject[] {
  const bodies = [operation.requestBody, ...Object.values(operation.responses ?? {})];
  return bodies.flatMap((body: { readonly content?: ZodOpenApiContentObject } | undefined) =>
    body?.content === undefined ? [] : [body.content],
  );
}

/** Gives every body without an example one, and every parameter its example and the description of its schema. */
export function addExamples(document: OpenApiDocument): void {
  const named: unknown = document.components?.schemas;
  const schemas: JsonObject = isJsonObject(named) ? named : {};
  for (const operation of listOperations(document)) {
    for (const media of listContents(operation).flatMap((content) => Object.values(content))) {
      if (media === undefined || media.example !== undefined) continue;
      const schema: unknown = media.schema;
      if (media.examples === undefined && isJsonObject(schema)) {
        media.example = composeExample(schema, schemas);
      }
    }
    for (const parameter of operation.parameters ?? []) {
      if (!("schema" in parameter)) continue;
      const schema: unknown = parameter.schema;
      if (!isJsonObject(schema)) continue;
      if (typeof schema.description === "string") parameter.description ??= schema.description;
      parameter.example ??= composeExample(schema, schemas);
    }
  }
}
