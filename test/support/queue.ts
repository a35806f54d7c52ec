/** The queue of deliveries, closed or held: the platform's class itself, under whatever guard sends. */
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import worker from "../../src/index.ts";

function onSend(send: (message: unknown) => Promise<unknown>) {
  const queue: { send: (message: unknown) => Promise<unknown> } = Object.getPrototypeOf(
    env.DELIVERIES,
  );
  return vi.spyOn(queue, "send").mockImplementation(send);
}

/** Whatever is sent is refused, until the mocks are restored. */
export function queueRefuses() {
  return onSend(async () => {
    throw new Error("the queue is closed");
  });
}

/** What is sent stays in the returned list, until the mocks are restored. */
export function queueHolds(): unknown[] {
  const held: unknown[] = [];
  onSend(async (message) => {
    // As the queue would have it: a copy.
    held.push(structuredClone(message));
  });
  return held;
}

/** Brings messages, as the queue does, all at once. @returns how many are to be brought again */
export async function brought(messages: readonly unknown[]): Promise<number> {
  const batch = createMessageBatch<unknown>(
    "edge-idp-deliveries",
    messages.map((body, index) => ({
      id: String(index),
      timestamp: new Date(),
      attempts: 1,
      body,
    })),
  );
  const ctx = createExecutionContext();
  await worker.queue(batch, env);
  const { retryMessages } = await getQueueResult(batch, ctx);
  return retryMessages.length;
}
