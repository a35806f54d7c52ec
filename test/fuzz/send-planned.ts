/** Fills the placeholders of a planned request, damages its bytes, sends it and checks the answer. */
import { type Answer, fetchAnswer } from "../support/client.ts";
import { findContradiction } from "../support/openapi-conformity.ts";
import { findObjection, type Operation, operationAt, type Sent } from "./document.ts";
import type { Known } from "./known.ts";
import type { Damage, Planned } from "./request-arbitrary.ts";
import { knownNames, placeholder } from "./texts.ts";

const origin = "https://idp.test";
const sixteenKiB = 16 * 1024;
/** Of any route. */
const largestBody = 128 * 1024;

function joinBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function damageBytes(text: string, damage: Damage | undefined): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const spaces = (count: number) => new TextEncoder().encode(" ".repeat(Math.max(count, 0)));
  switch (damage) {
    case undefined:
      return bytes;
    case "truncated":
      return bytes.slice(0, Math.floor(bytes.length / 2));
    case "not UTF-8":
      return joinBytes(bytes.slice(0, -2), Uint8Array.of(0xc3, 0x28, 0xff), bytes.slice(-2));
    case "marked as UTF-8":
      return joinBytes(Uint8Array.of(0xef, 0xbb, 0xbf), bytes);
    case "UTF-16":
      return Uint8Array.from([...bytes].flatMap((byte) => [byte, 0]));
    case "trailing comma":
      return joinBytes(bytes.slice(0, -1), new TextEncoder().encode(",}"));
    case "doubled":
      return joinBytes(bytes, bytes);
    case "too large":
      return joinBytes(bytes, spaces(largestBody + 1));
    case "exactly 16 KiB":
      return joinBytes(bytes, spaces(sixteenKiB - bytes.length));
  }
}

export interface Outcome {
  readonly status: number;
  /** The problems of the answer; empty when it has none. */
  readonly complaints: readonly string[];
}

/** Text of internal errors: of the runtime, the database or a library. */
const internalText =
  /D1_|SQLITE|SqliteError|\bat .+\.(ts|js):\d|TypeError|RangeError|ZodError|undefined/;

/** Checks the shape of an error body, which is the same for every address. */
function findErrorComplaints(method: string, { status, headers, body }: Answer): string[] {
  if (status < 400 || method === "HEAD") return [];
  const { error, code, request_id } = Object(body);
  const complaints: string[] = [];
  if (typeof error !== "string" || error === "") complaints.push("no sentence in `error`");
  if (!/^[a-z_]+$/.test(String(code))) complaints.push("no `code`");
  if (request_id !== headers.get("X-Request-Id"))
    complaints.push("a `request_id` that differs from the header");
  if (internalText.test(String(error))) complaints.push("`error` contains internal text");
  if (status === 401 && headers.get("WWW-Authenticate")?.startsWith("Bearer") !== true) {
    complaints.push("401 without a challenge");
  }
  if (status === 405 && headers.get("Allow") === null) complaints.push("405 without Allow");
  return complaints;
}

/** Only the public keys of step-up tokens may be cached. */
function expectedCaching(status: number, path: string): string {
  return status === 200 && path === "/.well-known/jwks.json" ? "public, max-age=300" : "no-store";
}

function findGeneralComplaints({ status, headers }: Answer, path: string): string[] {
  const complaints: string[] = [];
  if (status >= 500) complaints.push("a 5xx status");
  if (!/^[0-9a-f]{24}$/.test(headers.get("X-Request-Id") ?? "")) complaints.push("no X-Request-Id");
  if (headers.get("Cache-Control") !== expectedCaching(status, path)) complaints.push("cacheable");
  if (headers.has("Access-Control-Allow-Origin")) complaints.push("open to other origins");
  return complaints;
}

/**
 * These routes may refuse a request that the document allows. The fields of such a request must also
 * be consistent with each other or with stored data, which a schema cannot express.
 */
const routesWithMoreRules = [
  ...["changeSettings", "simulatePolicy", "verifyOtp", "proveAuditConsistency"],
  ...["relocateTenant", "deleteTenant", "getStatistics", "getUsage"],
  ...["createWebhook", "changeWebhook", "replayWebhook"],
  ...["createStream", "changeStream", "replayStream"],
];

function findVerdictComplaints(
  planned: Planned,
  operation: Operation,
  status: number,
  objection: string | undefined,
): string[] {
  if (objection !== undefined) return status < 400 ? [`accepted, although ${objection}`] : [];
  const isMalformed = [400, 413, 415].includes(status);
  return planned.isSound && isMalformed && !routesWithMoreRules.includes(operation.name)
    ? ["refused as malformed, although the document allows it"]
    : [];
}

export async function sendPlanned(
  planned: Planned,
  operations: readonly Operation[],
  known: Known,
): Promise<Outcome> {
  const { method, subject } = planned;
  const bearer = known.bearerFor(planned.credential, subject);
  const headers = new Headers(planned.headers);
  const [, shift] = /^clock (-?\d+)$/.exec(headers.get("Test-Clock") ?? "") ?? [];
  const at = Date.now() + Number(shift ?? 0) * 1000;
  if (shift !== undefined) headers.set("Test-Clock", new Date(at).toISOString());
  if (bearer.authorization !== undefined) headers.set("Authorization", bearer.authorization);
  const fill = (text: string, encode: (value: string) => string) =>
    knownNames.reduce(
      (result, name) =>
        result.replaceAll(placeholder(name), () =>
          encode(bearer.target.valueOf(name, subject, at)),
        ),
      text,
    );
  const query = planned.query
    .map((pair) => pair.map((text) => encodeURIComponent(fill(text, String).toWellFormed())))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const path = fill(planned.path, encodeURIComponent);
  const address = new URL(
    `${origin}${path}${query === "" && planned.suffix === "" ? "" : "?"}${query}${planned.suffix}`,
  );
  const inJson = (value: string) => JSON.stringify(value).slice(1, -1);
  const bytes =
    planned.body === undefined
      ? undefined
      : damageBytes(fill(planned.body, inJson), planned.damage);
  const request = new Request(address, {
    method,
    headers,
    ...(bytes === undefined ? {} : { body: bytes }),
  });
  const answer = await fetchAnswer(request);
  const complaints = [
    ...findGeneralComplaints(answer, address.pathname),
    ...findErrorComplaints(method, answer),
  ];
  const operation = operationAt(operations, request.method, address);
  if (operation !== undefined) {
    const sent: Sent = { url: address, headers, bytes };
    const wrong = await findContradiction(method, address.pathname, answer);
    if (wrong !== undefined) complaints.push(wrong);
    const objection = bearer.isEntitled(operation.access)
      ? findObjection(operation, sent)
      : "the token lacks the permission";
    complaints.push(...findVerdictComplaints(planned, operation, answer.status, objection));
    if (answer.status < 300) bearer.owner.updateFrom(operation.name, answer.body, address, bytes);
  } else if (answer.status < 400 && method !== "HEAD") {
    complaints.push("accepted, although the route does not exist");
  }
  const description = `${planned.credential} ${method} ${address.href.slice(0, 300)} ${JSON.stringify(planned.headers).slice(0, 200)} ${planned.damage ?? ""} ${planned.body?.slice(0, 500) ?? ""} → ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`;
  return { status: answer.status, complaints: complaints.map((what) => `${what}: ${description}`) };
}
