/** Files in D1 the deliveries that the queue brings, and confirms each one to its guard. */
import type { Owner } from "../../crypto/seal-context.ts";
import type { SentDelivery } from "./batcher.ts";
import { fileDeliveries } from "./delivery.ts";
import { type DeliveryMessage, messageFormat } from "./producer.ts";

/** By then the guard has delivered directly; an older message would only add load. */
const staleAfterMs = 60_000;

function isCurrent(body: unknown, now: number): body is DeliveryMessage {
  if (typeof body !== "object" || body === null) return false;
  const { format, sentAt }: { format?: unknown; sentAt?: unknown } = body;
  return format === messageFormat && typeof sentAt === "number" && now - sentAt < staleAfterMs;
}

/**
 * Files the deliveries of a batch. A message that cannot be filed is retried until it is stale.
 * @param confirm reports to a guard that D1 has what it sent
 * @param now real time, Unix ms
 */
export async function consumeDeliveries(
  env: Env,
  messages: readonly Message[],
  confirm: (owner: Owner, sent: SentDelivery) => Promise<void>,
  now: number,
): Promise<void> {
  const current = messages.flatMap((message) => {
    const { body } = message;
    return isCurrent(body, now) ? [{ message, ...body }] : [];
  });
  const deliveries = current.map(({ delivery }) => delivery);
  const filed = await fileDeliveries(env, deliveries);
  const arrived = new Map(filed.map(({ delivery, isOutdated }) => [delivery, isOutdated]));
  await Promise.all(
    current.map(async ({ message, delivery, sender, lastSeq }) => {
      const isOutdated = arrived.get(delivery);
      if (isOutdated === undefined) return message.retry();
      // The guard is not confirmed to: it then delivers directly, and learns that D1 is ahead.
      if (isOutdated) return;
      const { tenantId, id: identityId } = delivery.record;
      await confirm({ tenantId, identityId }, { sender, lastSeq });
    }),
  );
}
