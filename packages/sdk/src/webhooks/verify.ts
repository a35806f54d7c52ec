/** Verifies messages of webhooks as Standard Webhooks specifies (https://www.standardwebhooks.com), with WebCrypto. */
import type { AuditEvent } from "../types.ts";
import { WebhookError } from "./webhook-error.ts";

/** A message of a webhook: an event of the audit trail, or a test. */
export interface WebhookMessage {
  /** Names the event: a message that is sent again has the same, so that you can tell. */
  readonly id: string;
  /** The action of the event, such as `user.locked`; `webhook.test` for a test. */
  readonly type: string;
  /** When it happened, RFC 3339. */
  readonly timestamp: string;
  /** The event as `GET /v1/audit/events` shows it. A test has none of its fields. */
  readonly data: AuditEvent;
}

/** `Headers`, or an object of headers as Node has it. */
export type WebhookHeaders =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>;

const toleranceSeconds = 5 * 60;
const secretPrefix = "whsec_";
const minKeyBytes = 24;
const maxSignatures = 8;

function readHeader(headers: WebhookHeaders, name: string): string {
  const value =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof value !== "string" || value === "") throw new WebhookError("headers");
  return value;
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** @throws TypeError for a text that is no secret of a webhook: that is a mistake of the receiver */
async function importSecret(secret: string): Promise<CryptoKey> {
  const key = secret.startsWith(secretPrefix)
    ? decodeBase64(secret.slice(secretPrefix.length))
    : undefined;
  if (key === undefined || key.length < minKeyBytes) {
    throw new TypeError("The secret is not of the form whsec_…");
  }
  return await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [
    "verify",
  ]);
}

/** The bytes that are signed: the id, the time and the body, as they arrived. */
function joinSigned(id: string, timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  return signed;
}

function parseMessage(id: string, body: Uint8Array): WebhookMessage {
  try {
    const parsed: unknown = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body),
    );
    const { type, timestamp, data }: Partial<WebhookMessage> = Object(parsed);
    const isMessage = typeof type === "string" && typeof timestamp === "string";
    if (isMessage && typeof data === "object" && data !== null)
      return { id, type, timestamp, data };
  } catch {
    // What is no JSON is no event either.
  }
  throw new WebhookError("body");
}

/**
 * Verifies a message, and returns it. A message may arrive more than once: it then has the same `id`.
 *
 * @param headers of the request
 * @param body the bytes of the request, or their text: not what was parsed from them
 * @param secret of the webhook, `whsec_…`
 * @param now the time of the check, for tests
 * @throws WebhookError if the message must not be accepted; TypeError for a text that is no secret
 */
export async function verifyWebhook(
  headers: WebhookHeaders,
  body: string | Uint8Array | ArrayBuffer,
  secret: string,
  now: Date = new Date(),
): Promise<WebhookMessage> {
  const key = await importSecret(secret);
  const id = readHeader(headers, "webhook-id");
  const timestamp = readHeader(headers, "webhook-timestamp");
  const signatures = readHeader(headers, "webhook-signature").split(" ", maxSignatures);
  if (!/^[1-9]\d{0,11}$/.test(timestamp)) throw new WebhookError("headers");
  const ageSeconds = Math.floor(now.getTime() / 1000) - Number(timestamp);
  if (Math.abs(ageSeconds) > toleranceSeconds) throw new WebhookError("time");
  const bytes =
    typeof body === "string"
      ? new TextEncoder().encode(body)
      : new Uint8Array(body instanceof ArrayBuffer ? body : body.slice());
  const signed = joinSigned(id, timestamp, bytes);
  for (const one of signatures) {
    const [version, encoded = ""] = one.split(",", 2);
    const signature = version === "v1" ? decodeBase64(encoded) : undefined;
    if (signature === undefined) continue;
    // The runtime compares in constant time.
    if (await crypto.subtle.verify("HMAC", key, signature, signed)) return parseMessage(id, bytes);
  }
  throw new WebhookError("signature");
}
