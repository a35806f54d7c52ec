/** What the OpenAPI document says of requests: the fuzzer's only knowledge of the routes. */
import { type Schema, Validator } from "@cfworker/json-schema";
import { z } from "zod";
import { openApiDocument } from "../support/openapi-conformity.ts";

export interface JsonSchema {
  readonly type?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly pattern?: string | undefined;
  readonly format?: string | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly items?: JsonSchema | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
}

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    type: z.string().optional(),
    enum: z.array(z.string()).optional(),
    pattern: z.string().optional(),
    format: z.string().optional(),
    minLength: z.number().optional(),
    maxLength: z.number().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    exclusiveMinimum: z.number().optional(),
    exclusiveMaximum: z.number().optional(),
    maxItems: z.number().optional(),
    items: jsonSchema.optional(),
    properties: z.record(z.string(), jsonSchema).optional(),
    required: z.array(z.string()).optional(),
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
      }),
    )
    .default([]),
  requestBody: z
    .object({ content: z.object({ "application/json": z.object({ schema: jsonSchema }) }) })
    .optional(),
});

export interface Operation {
  readonly name: string;
  readonly method: string;
  /** With parameters as `{name}`. */
  readonly template: string;
  /** A permission, `operator`, or `public`. */
  readonly access: string;
  readonly parameters: z.output<typeof operationSchema>["parameters"];
  readonly body: JsonSchema | undefined;
}

export async function documentedOperations(): Promise<readonly Operation[]> {
  const { paths } = await openApiDocument();
  return Object.entries(paths).flatMap(([template, item]) =>
    Object.entries(item).map(([method, documented]) => {
      const { operationId, description, parameters, requestBody } =
        operationSchema.parse(documented);
      const [, access = "public"] = /^Permission: `(.+)`\.$/.exec(description) ?? [];
      return {
        name: operationId,
        method: method.toUpperCase(),
        template,
        access,
        parameters,
        body: requestBody?.content["application/json"].schema,
      };
    }),
  );
}

/** Which of the operations a request is for. */
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

function fits(schema: JsonSchema, value: unknown): boolean {
  const known = validators.get(schema);
  if (known !== undefined) return known.validate(value).valid;
  // The document's own schema, whole: what JsonSchema does not name is still in it.
  const whole: Schema = JSON.parse(JSON.stringify(schema));
  const validator = new Validator(whole, "2020-12");
  validators.set(schema, validator);
  return validator.validate(value).valid;
}

/** A parameter as the schema's type reads it: text that is a number is one where one is expected. */
function typed({ type }: JsonSchema, text: string): unknown {
  const isNumber = type === "integer" || type === "number";
  return isNumber && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

function forbiddenInAddress({ parameters, template }: Operation, url: URL): string | undefined {
  const inQuery = parameters.filter((parameter) => parameter.in === "query");
  for (const name of url.searchParams.keys()) {
    // `&=x`: a parameter without a name is none.
    if (name !== "" && inQuery.every((parameter) => parameter.name !== name))
      return `unknown parameter ${name}`;
  }
  for (const { name, required, schema } of inQuery) {
    const values = url.searchParams.getAll(name);
    if (values.length === 0 && required) return `${name} is missing`;
    if (values.length > 1) return `${name} is repeated`;
    if (values.some((value) => !fits(schema, typed(schema, value)))) return `${name} does not fit`;
  }
  const segments = url.pathname.split("/");
  for (const [place, segment] of template.split("/").entries()) {
    const parameter = parameters.find(({ name }) => segment === `{${name}}`);
    if (parameter !== undefined && !fits(parameter.schema, segments[place])) {
      return `${parameter.name} of the path does not fit`;
    }
  }
  return undefined;
}

function parsed(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return {
      value: JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes)),
    };
  } catch {
    return undefined;
  }
}

function forbiddenInBody({ body }: Operation, { headers, bytes }: Sent): string | undefined {
  const read = bytes === undefined || bytes.length === 0 ? undefined : parsed(bytes);
  if (body === undefined) {
    const isEmpty = bytes === undefined || bytes.length === 0;
    return isEmpty || JSON.stringify(read?.value) === "{}" ? undefined : "there must be no body";
  }
  const type = headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (!/^application\/(.+\+)?json$/.test(type)) return "the body is not declared as JSON";
  if (read === undefined) return "the body is not JSON";
  return fits(body, read.value) ? undefined : "the body does not fit";
}

/** What the document has against this request; undefined when it allows it. */
export function forbidden(operation: Operation, sent: Sent): string | undefined {
  return forbiddenInAddress(operation, sent.url) ?? forbiddenInBody(operation, sent);
}
