/** Sends one message to a webhook, signed as Standard Webhooks specifies (https://www.standardwebhooks.com). */
import { Webhook } from "standardwebhooks";
import type { Attempt } from "../request/attempt.ts";
import { failBeforeSending, post } from "../request/post.ts";
import type { WebhookConfiguration, WebhookCredentials } from "./webhook.ts";

/** A webhook that is ready to send. */
export interface OpenWebhook {
  readonly configuration: WebhookConfiguration;
  readonly credentials: WebhookCredentials;
}

export interface Message {
  /** The event's id: a message that is sent again has the same. */
  readonly id: string;
  readonly type: string;
  /** When it happened, RFC 3339. */
  readonly timestamp: string;
  readonly data: object;
}

/** The signature of each secret that is in force, the current one first. */
function signBody({ secrets }: WebhookCredentials, id: string, at: Date, body: string): string {
  return secrets
    .filter(({ endsAt }) => endsAt === null || endsAt > at.getTime())
    .map(({ secret }) => new Webhook(secret).sign(id, at, body))
    .join(" ");
}

/** Sends a message. Never throws. @param isTest whether the tenant is in test mode */
export async function sendWebhook(
  { configuration, credentials }: OpenWebhook,
  { id, ...message }: Message,
  isTest: boolean,
): Promise<Attempt> {
  const body = JSON.stringify(message);
  const at = new Date();
  let signature: string;
  try {
    signature = signBody(credentials, id, at, body);
  } catch {
    return failBeforeSending("configuration");
  }
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": signature,
  };
  return await post({ url: configuration.url, headers, body }, isTest);
}
