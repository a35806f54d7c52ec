/**
 * Sends a guard's deliveries to a Cloudflare Queue, so that a hundred deliveries are filed in one transaction:
 * D1 runs one write at a time. A message may be lost, late or duplicated. So a guard keeps what it sent until
 * the consumer confirms it, and otherwise delivers it directly.
 */
import { causeOf, log } from "../../log.ts";
import type { SentDelivery } from "./batcher.ts";
import type { Delivery } from "./build-delivery.ts";

/** Version of the message format. The consumer ignores other versions, and the guards deliver directly. */
export const messageFormat = 2;
/** A message may have 128 KB, with the queue's own metadata. Larger deliveries go to D1 directly. */
const maxMessageBytes = 120_000;

export interface DeliveryMessage extends SentDelivery {
  readonly format: typeof messageFormat;
  /** Real time, Unix ms. */
  readonly sentAt: number;
  readonly delivery: Delivery;
}

/** Whether the service has a queue. */
export function hasQueue(env: Partial<Env>): boolean {
  return env.DELIVERIES !== undefined;
}

/**
 * Sends a delivery. Never throws.
 * @param now real time, Unix ms
 * @returns whether the queue accepted it; if not, the guard delivers directly
 */
export async function sendDelivery(
  env: Partial<Env>,
  delivery: Delivery,
  { sender, lastSeq }: SentDelivery,
  now: number,
): Promise<boolean> {
  const message: DeliveryMessage = {
    format: messageFormat,
    sentAt: now,
    delivery,
    sender,
    lastSeq,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(message)).length;
  if (env.DELIVERIES === undefined || bytes > maxMessageBytes) return false;
  try {
    await env.DELIVERIES.send(message);
    return true;
  } catch (error) {
    log("error", "delivery_not_queued", { cause: causeOf(error) });
    return false;
  }
}
