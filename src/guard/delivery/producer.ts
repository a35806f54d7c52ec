/**
 * Hands deliveries over to a Cloudflare Queue, so that a hundred deliveries are filed in one transaction: D1 runs
 * one write at a time. What the queue has accepted, it delivers at least once, in any order. What it cannot
 * deliver within its tries goes to the dead-letter queue, whose consumer files it later.
 */
import { awaitWithin } from "../../deadline.ts";
import { causeOf, log } from "../../log.ts";
import type { GuardCall } from "../decisions/transition.ts";
import type { Delivery } from "./build-delivery.ts";

/** Version of the message format. */
export const messageFormat = 3;
/** A message may have 128 KB, with the queue's own metadata. Larger deliveries go to D1 directly. */
const maxMessageBytes = 120_000;
/** How long the guard waits for the queue. The queue may still deliver the message: D1 files it once. */
const sendTimeoutMs = 5_000;

export interface DeliveryMessage {
  readonly format: typeof messageFormat;
  /** Real time, Unix ms. */
  readonly sentAt: number;
  readonly delivery: Delivery;
  /** The ids of the tenant's enabled destinations. Messages of older builds have none. */
  readonly destinations?: readonly string[];
}

/** Whether the queue may deliver the events of a call. A queue has no jurisdiction. */
export function mayQueue(env: Partial<Env>, call: GuardCall | undefined): boolean {
  return env.DELIVERIES !== undefined && call?.jurisdiction === null;
}

/**
 * Hands a delivery over. Never throws.
 * @param now real time, Unix ms
 * @returns whether the queue accepted it; if not, the guard delivers directly
 */
export async function sendDelivery(
  env: Partial<Env>,
  delivery: Delivery,
  destinations: readonly string[],
  now: number,
): Promise<boolean> {
  const message: DeliveryMessage = {
    format: messageFormat,
    sentAt: now,
    delivery,
    ...(destinations.length === 0 ? {} : { destinations }),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(message)).length;
  if (env.DELIVERIES === undefined || bytes > maxMessageBytes) return false;
  try {
    await awaitWithin(sendTimeoutMs, env.DELIVERIES.send(message));
    return true;
  } catch (error) {
    log("error", "delivery_not_queued", { cause: causeOf(error) });
    return false;
  }
}
