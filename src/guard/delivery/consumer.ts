/**
 * Files the deliveries that arrive through the queue. The guards no longer have them, so a delivery that cannot be
 * filed is tried again, and goes to the dead-letter queue if that does not help. Its consumer is the same, and tries
 * for days.
 */
import { z } from "zod";
import type { Owner } from "../../crypto/seal-context.ts";
import { wakeDestinations } from "../../destinations/wake.ts";
import { tombstoneLifetimeMs } from "../../identity/store.ts";
import { noLocation } from "../../location.ts";
import { log } from "../../log.ts";
import type { Delivery } from "./build-delivery.ts";
import { fileDeliveries } from "./delivery.ts";
import { type DeliveryMessage, messageFormat } from "./producer.ts";

/** Longer than this after it was sent, a delivery creates no record: its user may have been erased since. */
const lateAfterMs = tombstoneLifetimeMs / 2;
/** Guards of older builds keep what they sent in these formats, and deliver it themselves. */
const lastUnreliableFormat = 2;

const maxRetryDelaySeconds = 3 * 60 * 60;

const messageHead = z.looseObject({ format: z.int() });

function isReadable(body: unknown): body is DeliveryMessage {
  return messageHead.safeParse(body).data?.format === messageFormat;
}

function isUnreliable(body: unknown): boolean {
  return (messageHead.safeParse(body).data?.format ?? messageFormat) <= lastUnreliableFormat;
}

/** The wait doubles with each try, so that a database that fails is not asked all the time. */
function retryLater(message: Message): void {
  message.retry({ delaySeconds: Math.min(2 ** message.attempts, maxRetryDelaySeconds) });
}

/** Wakes the destinations of the tenants whose deliveries were filed. Tenants in a jurisdiction do not use the queue. */
async function wakeFiled(
  env: Env,
  filed: readonly { readonly message: Message<unknown>; readonly delivery: Delivery }[],
): Promise<void> {
  const byTenant = new Map<string, Set<string>>();
  for (const { message, delivery } of filed) {
    const { destinations = [] } = isReadable(message.body) ? message.body : {};
    const { tenantId } = delivery.record;
    const known = byTenant.get(tenantId) ?? new Set();
    for (const id of destinations) known.add(id);
    byTenant.set(tenantId, known);
  }
  const now = Date.now();
  await Promise.all(
    [...byTenant].map(([tenantId, destinations]) =>
      wakeDestinations(env, { tenantId, destinations: [...destinations] }, noLocation, now),
    ),
  );
}

/**
 * Files the deliveries of a batch.
 * @param deliverRecord has a guard deliver its record directly; returns whether D1 has it
 * @param now real time, Unix ms
 */
export async function consumeDeliveries(
  env: Env,
  { queue, messages }: Pick<MessageBatch, "queue" | "messages">,
  deliverRecord: (owner: Owner) => Promise<boolean>,
  now: number,
): Promise<void> {
  if (queue.endsWith("-dead")) {
    log("error", "deliveries_dead_lettered", { count: messages.length });
  }
  const filings = messages.flatMap((message) => {
    const { body } = message;
    if (isReadable(body)) {
      return [{ message, delivery: body.delivery, isLate: now - body.sentAt > lateAfterMs }];
    }
    if (!isUnreliable(body)) {
      log("error", "delivery_unreadable", { source: "queue" });
      retryLater(message);
    }
    return [];
  });
  const filed = await fileDeliveries(env, filings);
  const answers = new Map(filed.map(({ delivery, lacksRecord }) => [delivery, lacksRecord]));
  await wakeFiled(
    env,
    filings.filter(({ delivery }) => answers.has(delivery)),
  );
  await Promise.all(
    filings.map(async ({ message, delivery }) => {
      const lacksRecord = answers.get(delivery);
      if (lacksRecord === undefined) return retryLater(message);
      const { tenantId, id: identityId } = delivery.record;
      if (lacksRecord && !(await deliverRecord({ tenantId, identityId }))) retryLater(message);
    }),
  );
}
