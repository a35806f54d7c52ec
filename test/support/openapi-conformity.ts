/** Checks answers against the service's own OpenAPI document. */
import { exports } from "cloudflare:workers";
import { dereference, type Schema, validate } from "@cfworker/json-schema";
import { createDocumentRoutes } from "../../src/api/docs.ts";
import { apiRoutes } from "../../src/app.ts";
import { createOpenApiDocument } from "../../src/http/openapi.ts";

interface Response {
  readonly content?: Record<string, { readonly schema: Schema }>;
  readonly "x-error-codes"?: readonly string[];
}
type Operation = { readonly responses: Record<string, Response> };

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: object;
}

let fetched: Promise<Document> | undefined;

/** The document, fetched over HTTP as a client does it. */
export async function openApiDocument(): Promise<Document> {
  fetched ??= exports.default
    .fetch(new Request("https://idp.test/openapi.json"))
    .then((response) => response.json<Document>());
  return await fetched;
}

let closed: Document | undefined;

/**
 * The same document with closed answers. The published one allows further fields and values, and would hide a
 * field that nobody documented.
 */
function closedDocument(): Document {
  closed ??= createClosedDocument();
  return closed;
}

function createClosedDocument(): Document {
  const routes = [...apiRoutes, ...createDocumentRoutes(apiRoutes)];
  return JSON.parse(JSON.stringify(createOpenApiDocument(routes, { isOpen: false })));
}

const patterns = new Map<string, RegExp>();

/** Compiles each path once, because thousands of answers are matched against it. */
function patternOf(template: string): RegExp {
  const known = patterns.get(template);
  if (known !== undefined) return known;
  const pattern = new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`);
  patterns.set(template, pattern);
  return pattern;
}

type Lookup = ReturnType<typeof dereference>;
/** The schemas that one schema can refer to, by URI: its own and the document's components. */
const lookups = new WeakMap<object, Lookup>();
let sharedLookup: Lookup | undefined;

/** Reads the components once, because every schema can refer to all of them. */
function lookUpComponents({ components }: Document): Lookup {
  const all = dereference({ components });
  return Object.fromEntries(Object.entries(all).filter(([uri]) => uri.includes("#")));
}

function lookupOf(schema: Schema, document: Document): Lookup {
  const known = lookups.get(schema);
  if (known !== undefined) return known;
  sharedLookup ??= lookUpComponents(document);
  const lookup: Lookup = dereference(schema, Object.create(sharedLookup));
  lookups.set(schema, lookup);
  return lookup;
}

function operationFor(document: Document, method: string, path: string): Operation | undefined {
  const { pathname } = new URL(path, "https://idp.test");
  const [, item] =
    Object.entries(document.paths).find(([template]) => patternOf(template).test(pathname)) ?? [];
  return item?.[method.toLowerCase()];
}

/** How the answer contradicts the document. Undefined if it agrees or the route is not documented. */
export async function findContradiction(
  method: string,
  path: string,
  answer: { readonly status: number; readonly headers: Headers; readonly body: unknown },
): Promise<string | undefined> {
  const document = closedDocument();
  const operation = operationFor(document, method, path);
  if (operation === undefined) return undefined;
  const summary = `${method} ${path} → ${answer.status}`;
  const response = operation.responses[String(answer.status)];
  if (response === undefined) return `${summary} is not documented`;
  if (response.content === undefined) {
    return answer.body === "" ? undefined : `${summary} has a body, but none is documented`;
  }
  const type = answer.headers.get("Content-Type")?.split(";")[0] ?? "";
  const schema = response.content[type]?.schema;
  if (schema === undefined) return `${summary} is ${type}, which is not documented`;
  const codes = response["x-error-codes"];
  const { code } = Object(answer.body);
  if (codes?.includes(code) === false)
    return `${summary} has the code ${code}, which is not documented`;
  const { valid, errors } = validate(answer.body, schema, "2020-12", lookupOf(schema, document));
  if (valid) return undefined;
  return `${summary}: ${errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`).join("; ")}`;
}
