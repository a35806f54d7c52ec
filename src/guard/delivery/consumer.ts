/** Files the deliveries that arrive through the queue, and confirms each one to its guard. */
import type { Owner } from "../../crypto/seal-context.ts";
import type { SentDelivery } from "./batcher.ts";
import { fileDeliveries } from "./delivery.ts";
import { type DeliveryMessage, messageFormat } from "./producer.ts";

/** After this time the guard has delivered directly, and the message would only add load. */
const staleAfterMs = 60_000;

function isCurrent(body: unknown, now: number): body is DeliveryMessage {
  if (typeof body !== "object" || body === null) return false;
  const { format, sentAt }: { format?: unknown; sentAt?: unknown } = body;
  return format === messageFormat && typeof sentAt === "number" && now - sentAt < staleAfterMs;
}

/**
 * Files the deliveries of a batch. A message whose delivery cannot be filed is retried until it is stale.
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
  const answers = new Map(
    filed.map(({ delivery, mustGuardDeliver }) => [delivery, mustGuardDeliver]),
  );
  await Promise.all(
    current.map(async ({ message, delivery, sender, lastSeq }) => {
      const mustGuardDeliver = answers.get(delivery);
      if (mustGuardDeliver === undefined) return message.retry();
      // Without a confirmation the guard delivers directly: it knows what to do with a newer record, or a move.
      if (mustGuardDeliver) return;
      const { tenantId, id: identityId } = delivery.record;
      await confirm({ tenantId, identityId }, { sender, lastSeq });
    }),
  );
}
