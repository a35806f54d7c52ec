/** Reads the requests of the OpenAPI document, which is all that the fuzzer knows about the routes. */
import { type Schema, Validator } from "@cfworker/json-schema";
import { z } from "zod";
import { openApiDocument } from "../support/openapi-conformity.ts";

export interface JsonSchema {
  readonly type?: string | readonly string[] | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly pattern?: string | undefined;
  readonly format?: string | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly items?: JsonSchema | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly minProperties?: number | undefined;
  readonly maxProperties?: number | undefined;
  readonly additionalProperties?: JsonSchema | boolean | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
}

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    type: z.union([z.string(), z.array(z.string())]).optional(),
    enum: z.array(z.string()).optional(),
    pattern: z.string().optional(),
    format: z.string().optional(),
    minLength: z.number().optional(),
    maxLength: z.number().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    exclusiveMinimum: z.number().optional(),
    exclusiveMaximum: z.number().optional(),
    minItems: z.number().optional(),
    maxItems: z.number().optional(),
    items: jsonSchema.optional(),
    properties: z.record(z.string(), jsonSchema).optional(),
    required: z.array(z.string()).optional(),
    minProperties: z.number().optional(),
    maxProperties: z.number().optional(),
    additionalProperties: z.union([z.boolean(), jsonSchema]).optional(),
    anyOf: z.array(jsonSchema).optional(),
  }),
);

const operationSchema = z.object({
  operationId: z.string(),
  description: z.string(),
  parameters: z
    .array(
      z.object({
        in: z.enum(["query", "path", "header"]),
        name: z.string(),
        required: z.boolean().default(false),
        schema: jsonSchema,
        example: z.unknown(),
      }),
    )
    .default([]),
  requestBody: z
    .object({
      content: z.object({
        "application/json": z.object({ schema: jsonSchema, example: z.unknown() }),
      }),
    })
    .optional(),
});

export interface Operation {
  readonly name: string;
  readonly method: string;
  /** The path, with parameters as `{name}`. */
  readonly template: string;
  /** A permission, `operator`, or `public`. */
  readonly access: string;
  readonly parameters: z.output<typeof operationSchema>["parameters"];
  readonly body: JsonSchema | undefined;
  /** Of the body. */
  readonly example: unknown;
}

const componentsSchema = z.object({ schemas: z.record(z.string(), z.unknown()) });

/** Replaces each reference to a component by the component. */
function inlineReferences(value: unknown, schemas: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(value)) return value.map((item) => inlineReferences(item, schemas));
  if (typeof value !== "object" || value === null) return value;
  if ("$ref" in value) {
    return inlineReferences(schemas[String(value.$ref).split("/").at(-1) ?? ""], schemas);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, inlineReferences(field, schemas)]),
  );
}

export async function readOperations(): Promise<readonly Operation[]> {
  const { paths, components } = await openApiDocument();
  const { schemas } = componentsSchema.parse(components);
  return Object.entries(paths).flatMap(([template, item]) =>
    Object.entries(item).map(([method, documented]) => {
      const { operationId, description, parameters, requestBody } = operationSchema.parse(
        inlineReferences(documented, schemas),
      );
      const [, access = "public"] = /^Permission: `(.+)`\.$/m.exec(description) ?? [];
      return {
        name: operationId,
        method: method.toUpperCase(),
        template,
        access,
        parameters,
        body: requestBody?.content["application/json"].schema,
        example: requestBody?.content["application/json"].example,
      };
    }),
  );
}

/** The operation that a request addresses. */
export function operationAt(
  operations: readonly Operation[],
  method: string,
  { pathname }: URL,
): Operation | undefined {
  const isAt = ({ template }: Operation) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(pathname);
  return operations.find((operation) => operation.method === method && isAt(operation));
}

/** One request as it is sent. */
export interface Sent {
  readonly url: URL;
  readonly headers: Headers;
  readonly bytes: Uint8Array | undefined;
}

const validators = new WeakMap<JsonSchema, Validator>();

export function matchesSchema(schema: JsonSchema, value: unknown): boolean {
  const known = validators.get(schema);
  if (known !== undefined) return known.validate(value).valid;
  // This is the complete schema of the document, with the keywords that JsonSchema does not list.
  const complete: Schema = JSON.parse(JSON.stringify(schema));
  const validator = new Validator(complete, "2020-12");
  validators.set(schema, validator);
  return validator.validate(value).valid;
}

/** The value of a parameter, as a client of the document writes it, if the text is one. */
export function readParameter({ type }: JsonSchema, text: string): unknown {
  if (type === "boolean") return ["true", "false"].includes(text) ? text === "true" : text;
  if (type === "integer") return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : text;
  const isNumber = type === "number" && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text);
  return isNumber ? Number(text) : text;
}

function isValidEncoding({ pathname, search }: URL): boolean {
  try {
    decodeURIComponent(pathname + search);
    return true;
  } catch {
    return false;
  }
}

function findAddressObjection({ parameters, template }: Operation, url: URL): string | undefined {
  if (!isValidEncoding(url)) return "the percent-encoding is invalid";
  const inQuery = parameters.filter((parameter) => parameter.in === "query");
  for (const name of url.searchParams.keys()) {
    // A parameter without a name, as in `&=x`, does not count.
    if (name !== "" && inQuery.every((parameter) => parameter.name !== name))
      return `unknown parameter ${name}`;
  }
  for (const { name, required, schema } of inQuery) {
    const values = url.searchParams.getAll(name);
    if (values.length === 0 && required) return `${name} is missing`;
    if (values.length > 1) return `${name} is repeated`;
    if (values.some((value) => !matchesSchema(schema, readParameter(schema, value))))
      return `${name} does not match its schema`;
  }
  const segments = url.pathname.split("/");
  for (const [position, segment] of template.split("/").entries()) {
    const parameter = parameters.find(({ name }) => segment === `{${name}}`);
    if (parameter !== undefined && !matchesSchema(parameter.schema, segments[position])) {
      return `${parameter.name} of the path does not match its schema`;
    }
  }
  return undefined;
}

function parseJson(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return {
      value: JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes)),
    };
  } catch {
    return undefined;
  }
}

function findBodyObjection({ body }: Operation, { headers, bytes }: Sent): string | undefined {
  const read = bytes === undefined || bytes.length === 0 ? undefined : parseJson(bytes);
  if (body === undefined) {
    const isEmpty = bytes === undefined || bytes.length === 0;
    return isEmpty || JSON.stringify(read?.value) === "{}"
      ? undefined
      : "the operation takes no body";
  }
  const type = headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (!/^application\/(.+\+)?json$/.test(type)) return "the body is not declared as JSON";
  if (read === undefined) return "the body is not JSON";
  return matchesSchema(body, read.value) ? undefined : "the body does not match its schema";
}

/** The reason why the document forbids the request; undefined when it allows the request. */
export function findObjection(operation: Operation, sent: Sent): string | undefined {
  return findAddressObjection(operation, sent.url) ?? findBodyObjection(operation, sent);
}
