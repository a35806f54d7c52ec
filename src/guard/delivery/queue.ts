/**
 * Deliveries by way of a Cloudflare Queue, so that D1, which runs one write at a time, takes them a
 * hundred together. The queue guarantees nothing here: a guard keeps what it sent until it is told that
 * D1 has it, and delivers by itself where it is not told. So a message may be lost, late or doubled.
 */
import { causeOf, log } from "../../log.ts";
import { confirmDelivery } from "../client.ts";
import type { Sent } from "./batcher.ts";
import { type Delivery, fileDeliveries } from "./delivery.ts";

/** Of the messages: what an older or newer build sent is left to the guards. */
const format = 2;
/** The guard has long delivered by itself; who still waits here would only come in too late. */
const staleAfterMs = 60_000;
/** A message may have 128 KB, some of it the queue's own; larger deliveries go directly. */
const mostBytes = 120_000;

interface DeliveryMessage extends Sent {
  readonly format: typeof format;
  /** Real time, Unix ms. */
  readonly sentAt: number;
  readonly delivery: Delivery;
}

function isCurrent(body: unknown, now: number): body is DeliveryMessage {
  if (typeof body !== "object" || body === null) return false;
  const { format: itsFormat, sentAt }: { format?: unknown; sentAt?: unknown } = body;
  return itsFormat === format && typeof sentAt === "number" && now - sentAt < staleAfterMs;
}

/** Whether deliveries can go this way. */
export function hasQueue(env: Partial<Env>): boolean {
  return env.DELIVERIES !== undefined;
}

/**
 * @param now real time, Unix ms
 * @returns whether the queue has it; if not, the guard delivers by itself
 */
export async function sendDelivery(
  env: Partial<Env>,
  delivery: Delivery,
  { sender, lastSeq }: Sent,
  now: number,
): Promise<boolean> {
  const message: DeliveryMessage = { format, sentAt: now, delivery, sender, lastSeq };
  const bytes = new TextEncoder().encode(JSON.stringify(message)).length;
  if (env.DELIVERIES === undefined || bytes > mostBytes) return false;
  try {
    await env.DELIVERIES.send(message);
    return true;
  } catch (error) {
    log("error", "delivery_not_queued", { cause: causeOf(error) });
    return false;
  }
}

/** Files what the queue brings, and tells each guard. What cannot be filed is tried again, not for long. */
export async function onDeliveries(
  env: Env,
  messages: readonly Message[],
  now: number,
): Promise<void> {
  const current = messages.flatMap((message) => {
    const { body } = message;
    return isCurrent(body, now) ? [{ message, ...body }] : [];
  });
  const deliveries = current.map(({ delivery }) => delivery);
  const filed = await fileDeliveries(env, deliveries);
  const arrived = new Map(filed.map(({ delivery, isOvertaken }) => [delivery, isOvertaken]));
  await Promise.all(
    current.map(async ({ message, delivery, sender, lastSeq }) => {
      const isOvertaken = arrived.get(delivery);
      if (isOvertaken === undefined) return message.retry();
      // A guard that does not know why delivers by itself, and finds out.
      if (isOvertaken) return;
      const { tenantId, id: identityId } = delivery.record;
      await confirmDelivery(env, { tenantId, identityId }, { sender, lastSeq });
    }),
  );
}
