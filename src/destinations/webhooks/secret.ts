/** Secrets of webhooks, in the form of Standard Webhooks. */
import { base64 } from "@scure/base";
import type { WebhookCredentials } from "./webhook.ts";

/** The specification asks for 24 to 64. */
const secretBytes = 32;

export function createSecret(): string {
  return `whsec_${base64.encode(crypto.getRandomValues(new Uint8Array(secretBytes)))}`;
}

/**
 * Puts a new secret in place. The one before it signs too until the end of the overlap, and an older one no more.
 * @param endsAt when the overlap ends, real time, Unix ms
 */
export function addSecret(
  { secrets }: WebhookCredentials,
  secret: string,
  endsAt: number,
): WebhookCredentials {
  const [current] = secrets;
  const former = current === undefined ? [] : [{ secret: current.secret, endsAt }];
  return { secrets: [{ secret, endsAt: null }, ...former] };
}
