/** From a planned request to its answer: placeholders filled, bytes damaged, sent and looked at. */
import { type Answer, fetchAnswer } from "../support/client.ts";
import { findContradiction } from "../support/openapi-conformity.ts";
import { forbidden, type Operation, operationAt, type Sent } from "./document.ts";
import type { Known } from "./known.ts";
import type { Damage, Planned } from "./request-arbitrary.ts";
import { knownNames, placeholder } from "./texts.ts";

const origin = "https://idp.test";
const sixteenKiB = 16 * 1024;

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function damaged(text: string, damage: Damage | undefined): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const spaces = (count: number) => new TextEncoder().encode(" ".repeat(Math.max(count, 0)));
  switch (damage) {
    case undefined:
      return bytes;
    case "cut":
      return bytes.slice(0, Math.floor(bytes.length / 2));
    case "not UTF-8":
      return joined(bytes.slice(0, -2), Uint8Array.of(0xc3, 0x28, 0xff), bytes.slice(-2));
    case "marked as UTF-8":
      return joined(Uint8Array.of(0xef, 0xbb, 0xbf), bytes);
    case "UTF-16":
      return Uint8Array.from([...bytes].flatMap((byte) => [byte, 0]));
    case "trailing comma":
      return joined(bytes.slice(0, -1), new TextEncoder().encode(",}"));
    case "doubled":
      return joined(bytes, bytes);
    case "too large":
      return joined(bytes, spaces(sixteenKiB + 1 - bytes.length));
    case "exactly 16 KiB":
      return joined(bytes, spaces(sixteenKiB - bytes.length));
  }
}

export interface Outcome {
  readonly status: number;
  /** What is wrong with the answer; empty when nothing is. */
  readonly complaints: readonly string[];
}

/** Text that would come from inside: of the runtime, the database or a library. */
const inside = /D1_|SQLITE|SqliteError|\bat .+\.(ts|js):\d|TypeError|RangeError|ZodError|undefined/;

/** The shape of every error body, whatever the address. */
function complaintsOfError(method: string, { status, headers, body }: Answer): string[] {
  if (status < 400 || method === "HEAD") return [];
  const { error, code, request_id } = Object(body);
  const complaints: string[] = [];
  if (typeof error !== "string" || error === "") complaints.push("no sentence in `error`");
  if (!/^[a-z_]+$/.test(String(code))) complaints.push("no `code`");
  if (request_id !== headers.get("X-Request-Id")) complaints.push("another `request_id`");
  if (inside.test(String(error))) complaints.push("`error` tells of the inside");
  if (status === 401 && headers.get("WWW-Authenticate")?.startsWith("Bearer") !== true) {
    complaints.push("401 without a challenge");
  }
  if (status === 405 && headers.get("Allow") === null) complaints.push("405 without Allow");
  return complaints;
}

function complaintsOfAny({ status, headers }: Answer): string[] {
  const complaints: string[] = [];
  if (status >= 500) complaints.push("a fault");
  if (!/^[0-9a-f]{24}$/.test(headers.get("X-Request-Id") ?? "")) complaints.push("no X-Request-Id");
  if (headers.get("Cache-Control") !== "no-store") complaints.push("may be kept");
  if (headers.has("Access-Control-Allow-Origin")) complaints.push("open to other origins");
  return complaints;
}

/**
 * Refused although the document allows the request. What these routes are asked must also agree
 * with itself, or with what is set or known, which no schema can say.
 */
const mayDisagree = [
  ...["changeSettings", "simulatePolicy", "verifyOtp", "proveAuditConsistency"],
  "relocateTenant",
];

function complaintsOfVerdict(
  planned: Planned,
  operation: Operation,
  status: number,
  because: string | undefined,
): string[] {
  if (because !== undefined) return status < 400 ? [`accepted, although ${because}`] : [];
  const isMalformed = [400, 413, 415].includes(status);
  return planned.isSound && isMalformed && !mayDisagree.includes(operation.name)
    ? ["refused as malformed, although the document allows it"]
    : [];
}

export async function sendPlanned(
  planned: Planned,
  operations: readonly Operation[],
  known: Known,
): Promise<Outcome> {
  const { method, subject } = planned;
  const bearer = known.bearer(planned.credential, subject);
  const headers = new Headers(planned.headers);
  const [, shift] = /^clock (-?\d+)$/.exec(headers.get("Test-Clock") ?? "") ?? [];
  const at = Date.now() + Number(shift ?? 0) * 1000;
  if (shift !== undefined) headers.set("Test-Clock", new Date(at).toISOString());
  if (bearer.authorization !== undefined) headers.set("Authorization", bearer.authorization);
  const filled = (text: string, spell: (value: string) => string) =>
    knownNames.reduce(
      (result, name) =>
        result.replaceAll(placeholder(name), () => spell(bearer.realm.valueOf(name, subject, at))),
      text,
    );
  const query = planned.query
    .map((pair) => pair.map((text) => encodeURIComponent(filled(text, String).toWellFormed())))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const path = filled(planned.path, encodeURIComponent);
  const address = new URL(
    `${origin}${path}${query === "" && planned.suffix === "" ? "" : "?"}${query}${planned.suffix}`,
  );
  const inJson = (value: string) => JSON.stringify(value).slice(1, -1);
  const bytes =
    planned.body === undefined ? undefined : damaged(filled(planned.body, inJson), planned.damage);
  const request = new Request(address, {
    method,
    headers,
    ...(bytes === undefined ? {} : { body: bytes }),
  });
  const answer = await fetchAnswer(request);
  const complaints = [...complaintsOfAny(answer), ...complaintsOfError(method, answer)];
  const operation = operationAt(operations, request.method, address);
  if (operation !== undefined) {
    const sent: Sent = { url: address, headers, bytes };
    const wrong = await findContradiction(method, address.pathname, answer);
    if (wrong !== undefined) complaints.push(wrong);
    const because = bearer.isEntitled(operation.access)
      ? forbidden(operation, sent)
      : "the token does not entitle";
    complaints.push(...complaintsOfVerdict(planned, operation, answer.status, because));
    if (answer.status < 300) bearer.owner.learn(operation.name, answer.body, address, bytes);
  } else if (answer.status < 400 && method !== "HEAD") {
    complaints.push("accepted, although there is no such route");
  }
  const told = `${planned.credential} ${method} ${address.href.slice(0, 300)} ${JSON.stringify(planned.headers).slice(0, 200)} ${planned.damage ?? ""} ${planned.body?.slice(0, 500) ?? ""} → ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`;
  return { status: answer.status, complaints: complaints.map((what) => `${what}: ${told}`) };
}
