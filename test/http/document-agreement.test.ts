/** What the OpenAPI document allows, and what the schemas that validate requests accept, is the same. */
import fc, { type Arbitrary } from "fast-check";
import { describe, expect, it } from "vitest";
import { type ZodType, z } from "zod";
import { apiRoutes } from "../../src/app.ts";
import { none } from "../../src/http/route.ts";
import { parseNetwork } from "../../src/sentinel/network/address.ts";
import { type JsonSchema, matchesSchema, readOperations } from "../fuzz/document.ts";
import { strideOf } from "../support/campaign.ts";
import { allowedValue, nearText, nearValue } from "../support/schema-values.ts";

const operations = await readOperations();
const runs = Math.ceil(2_000 / strideOf(20));

/** Matches an IPv4-mapped network that is wider than all IPv4 addresses. */
function isTooWide(text: string): boolean {
  const [address = "", prefix] = text.split("/");
  return parseNetwork(address)?.family === 4 && address.includes(":") && Number(prefix) < 96;
}

/** Whether a part of the value is the one thing that a description says and no pattern can. */
function holdsTooWide(value: unknown): boolean {
  if (typeof value === "string") return isTooWide(value);
  return typeof value === "object" && value !== null && Object.values(value).some(holdsTooWide);
}

/** Fails with each value about which the document and the validation differ. */
function expectAgreement<T>(
  values: Arbitrary<T>,
  isDocumented: (value: T) => boolean,
  schema: ZodType,
): void {
  fc.assert(
    fc.property(values, (value) => {
      fc.pre(!holdsTooWide(value));
      const { success, error } = schema.safeParse(value);
      const verdict = isDocumented(value) ? "allowed" : "not allowed";
      expect(
        success ? "allowed" : "not allowed",
        `${JSON.stringify(value)} ${JSON.stringify(error?.issues)}`,
      ).toBe(verdict);
    }),
    { numRuns: runs },
  );
}

/** The value of a parameter, as a client of the document writes it, if the text is one. */
function readParameter({ type }: JsonSchema, text: string): unknown {
  if (type === "boolean") return ["true", "false"].includes(text) ? text === "true" : text;
  if (type === "integer") return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : text;
  const isNumber = type === "number" && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text);
  return isNumber ? Number(text) : text;
}

function definitionOf(name: string) {
  const route = apiRoutes.find(({ definition }) => definition.name === name);
  if (route === undefined) throw new Error(`No route is named ${name}`);
  return route.definition;
}

const bodies = operations.flatMap(({ name, body, example }) =>
  body === undefined ? [] : [{ name, body, example }],
);
const parameters = operations.flatMap(({ name, parameters: all }) =>
  all
    .filter((parameter) => parameter.in === "query")
    .map(({ name: key, schema, example }) => ({ operation: name, key, schema, example })),
);

describe("The examples of the document are valid", () => {
  it.each(bodies)("for the body of $name", ({ name, example }) => {
    expect(definitionOf(name).body.safeParse(example)).toMatchObject({ success: true });
  });

  it("for each parameter", () => {
    for (const { operation, key, example } of parameters) {
      const { query } = definitionOf(operation);
      const field = query instanceof z.ZodObject ? query.shape[key] : undefined;
      expect(field?.safeParse(String(example)), `${key} of ${operation}`).toMatchObject({
        success: true,
      });
    }
  });
});

describe("The document and the validation agree", () => {
  it.each(bodies)("about the body of $name", ({ name, body }) => {
    const { body: schema } = definitionOf(name);
    expect(schema).not.toBe(none);
    const isDocumented = (value: unknown) => matchesSchema(body, value);
    expectAgreement(allowedValue(body), isDocumented, schema);
    expectAgreement(nearValue(body), isDocumented, schema);
  });

  it.each(parameters)("about $key of $operation", ({ operation, key, schema }) => {
    const { query } = definitionOf(operation);
    const field = query instanceof z.ZodObject ? query.shape[key] : undefined;
    expect(field).toBeDefined();
    const isDocumented = (text: string) => matchesSchema(schema, readParameter(schema, text));
    expectAgreement(allowedValue(schema).map(String), isDocumented, field);
    expectAgreement(nearText(schema), isDocumented, field);
  });
});
