/** Generates valid and invalid requests to the documented routes, and requests to unknown addresses and methods. */
import fc, { type Arbitrary } from "fast-check";
import type { Operation } from "./document.ts";
import {
  jsonTypes,
  junkTexts,
  oddHeaders,
  oddIds,
  otherTypes,
  soundClocks,
  suffixes,
} from "./oddities.ts";
import { anyText, rawNumber } from "./texts.ts";
import { brokenValue, soundValue } from "./values.ts";

export const credentials = [
  "right",
  "live",
  "stranger",
  "narrow",
  "operator",
  "expired",
  "revoked",
  "mistyped",
  "garbage",
  "none",
] as const;
export type Credential = (typeof credentials)[number];

/** The ways to damage the bytes of a body. */
const damages = [
  "truncated",
  "not UTF-8",
  "marked as UTF-8",
  "UTF-16",
  "trailing comma",
  "doubled",
  "too large",
  "exactly 16 KiB",
] as const;
export type Damage = (typeof damages)[number];

export interface Planned {
  /** The `operationId`; undefined for an unknown route. */
  readonly route: string | undefined;
  readonly method: string;
  /** The path as it is sent, with placeholders. */
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  /** Appended to the query without encoding. */
  readonly suffix: string;
  readonly body: string | undefined;
  readonly damage: Damage | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly credential: Credential;
  /** Selects the known user, token or event of the request. */
  readonly subject: number;
  /** True when no part was broken on purpose. */
  readonly isSound: boolean;
}

function toJsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(rawNumber, "$1");
}

/** The name of the id that a path has as this parameter, by the parts of the path around it. */
function idNameOf(template: string, parameter: string): string {
  const before = template.slice(0, template.indexOf(`{${parameter}}`));
  if (before.endsWith("/tokens/")) return "token_id";
  if (before.endsWith("/events/")) return "event_id";
  if (before.endsWith("/passkeys/")) return "passkey_id";
  if (before.endsWith("/authenticators/")) return "authenticator_id";
  if (before.endsWith("/devices/")) return "device_id";
  if (before.endsWith("/webhooks/")) return "webhook_id";
  if (before.endsWith("/attempts/")) return "attempted_event_id";
  if (before.endsWith("/streams/")) return "stream_id";
  // A tenant's token or user is found only under the tenant's own id.
  return /\/(tokens\/\{\w+\}|user)$/.test(template) ? "own_tenant_id" : "tenant_id";
}

/** Generates the path with an id for each parameter. */
function soundPath({ template, parameters }: Operation): Arbitrary<string> {
  const inPath = parameters.filter((parameter) => parameter.in === "path");
  const ids = inPath.map(({ name, schema }) => soundValue(schema, idNameOf(template, name)));
  return fc
    .tuple(...ids)
    .map((values) =>
      inPath.reduce(
        (path, { name }, index) => path.replace(`{${name}}`, String(values[index])),
        template,
      ),
    );
}

function credentialFor({ access }: Operation): Credential {
  return access === "operator" ? "operator" : "right";
}

const subject = fc.nat(9_999);

function soundRequest(operation: Operation): Arbitrary<Planned> {
  const { name, method, parameters, body } = operation;
  const query = fc.tuple(
    ...parameters
      .filter((parameter) => parameter.in === "query")
      .map(({ name: key, required, schema }) => {
        const pair = soundValue(schema, key).map((value): [string, string] => [key, String(value)]);
        const some = pair.map((one) => [one]);
        return required ? some : fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, some);
      }),
  );
  const tenants: Credential[] = [credentialFor(operation)];
  if (tenants[0] === "right") tenants.push("right", "right", "live");
  return fc.record({
    route: fc.constant(name),
    method: fc.constant(method),
    path: soundPath(operation),
    query: query.map((pairs) => pairs.flat()),
    suffix: fc.constant(""),
    body: body === undefined ? fc.constant(undefined) : soundValue(body).map(toJsonText),
    damage: fc.constant(undefined),
    headers: fc
      .tuple(body === undefined ? fc.constant(undefined) : jsonTypes, requestKey(operation))
      .map(([type, key]) => ({ ...typeHeader([type]), ...key })),
    credential: fc.constantFrom(...tenants),
    subject,
    isSound: fc.constant(true),
  });
}

/** Mostly no key; otherwise a new key, or one that other requests also use. */
function requestKey({ parameters }: Operation): Arbitrary<Record<string, string>> {
  const header = parameters.find((parameter) => parameter.in === "header")?.name;
  const none = fc.constant({});
  if (header === undefined) return none;
  const named = fc.oneof(fc.uuid(), fc.nat(20).map(String)).map((key) => ({ [header]: key }));
  return fc.oneof({ weight: 2, arbitrary: none }, named);
}

function typeHeader([type]: [string | undefined]): Record<string, string> {
  return type === undefined ? {} : { "Content-Type": type };
}

/** One part of a sound request, wrong in one of many ways. */
function wrongPart(operation: Operation): Arbitrary<Partial<Planned>> {
  const { parameters, body } = operation;
  const inQuery = parameters.filter((parameter) => parameter.in === "query");
  const oddPair = fc.oneof(
    ...inQuery.map(({ name, schema }) =>
      fc
        .oneof(anyText, brokenValue(schema, name).map(String))
        .map((text): [string, string] => [name, text.toWellFormed()]),
    ),
    fc.tuple(fc.constantFrom("", "x", "tenant_id", "__proto__"), anyText),
  );
  const parts: Arbitrary<Partial<Planned>>[] = [
    fc.array(oddPair, { minLength: 1, maxLength: 3 }).map((query) => ({ query })),
    fc.constant({ query: [] }),
    suffixes.map((suffix) => ({ suffix })),
    oddHeaders.map((headers) => ({ headers: { "Content-Type": "application/json", ...headers } })),
    soundClocks.map((headers) => ({ headers: { "Content-Type": "application/json", ...headers } })),
    fc.constantFrom(...credentials).map((credential) => ({ credential })),
  ];
  if (operation.method !== "GET") {
    parts.push(
      junkTexts.map((text) => ({ body: text })),
      fc.constantFrom(...damages).map((damage) => ({ damage })),
      otherTypes.map((type) => ({ headers: { "Content-Type": type } })),
    );
  }
  if (body !== undefined) {
    const broken = brokenValue(body).map((value) => ({ body: toJsonText(value) }));
    parts.push(broken, broken, broken, broken, broken);
  }
  if (parameters.some((parameter) => parameter.in === "path")) {
    parts.push(oddIds.map((id) => ({ path: operation.template.replaceAll(/\{\w+\}/g, id) })));
  }
  return fc.oneof(...parts);
}

/** A request to the route: sound, with one wrong part, or with several. */
export function requestTo(operation: Operation): Arbitrary<Planned> {
  const sound = soundRequest(operation);
  const wrong = wrongPart(operation);
  const isSound = false;
  return fc.oneof(
    { weight: 9, arbitrary: sound },
    { weight: 9, arbitrary: fc.tuple(sound, wrong).map(([a, b]) => ({ ...a, ...b, isSound })) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(sound, wrong, wrong, wrong)
        .map(([a, b, c, d]) => ({ ...a, ...b, ...c, ...d, isSound })),
    },
  );
}

const otherMethods = fc.constantFrom("PUT", "HEAD", "OPTIONS", "PROPFIND", "Patch", "GET");

/** A request with an address or a method that the document does not contain. */
export function requestToUnknown(operations: readonly Operation[]): Arbitrary<Planned> {
  return fc
    .tuple(
      fc.constantFrom(...operations).chain(soundRequest),
      otherMethods,
      fc.constantFrom("", "", "/", "/x", "//", "/%00", "/..%2f", "/%", ";a=b", "/*", ".json"),
      fc.constantFrom("", "/v0", "//", "/V1", "/%2e"),
      fc.constantFrom(...credentials),
    )
    .map(([planned, method, end, start, credential]) => ({
      ...planned,
      route: undefined,
      method,
      path: `${start}${planned.path}${end}`,
      body: ["GET", "HEAD"].includes(method) ? undefined : planned.body,
      credential,
      isSound: false,
    }));
}
