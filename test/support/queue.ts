/** The queue of deliveries, closed or held: the platform's class itself, under whatever guard sends. */
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import worker from "../../src/index.ts";
import { hangForever } from "./deadlines.ts";

type Send = (this: unknown, message: unknown) => Promise<unknown>;

const queue: { send: Send } = Object.getPrototypeOf(env.DELIVERIES);

function replaceSend(send: Send) {
  return vi.spyOn(queue, "send").mockImplementation(send);
}

/** Whatever is sent is refused, until the mocks are restored. */
export function refuseMessages() {
  return replaceSend(queueFaults.refuses);
}

/** What is sent stays in the returned list, until the mocks are restored. */
export function holdMessages(): unknown[] {
  const held: unknown[] = [];
  replaceSend(async (message) => {
    // As the queue would have it: a copy.
    held.push(structuredClone(message));
  });
  return held;
}

/** How the queue treats what it is given. It may bring it all the same. */
export const queueFaults = {
  refuses: async () => {
    throw new Error("the queue is closed");
  },
  hangs: hangForever,
  loses: async () => {},
  "loses the reply": async (send: () => Promise<unknown>) => {
    await send();
    throw new Error("the queue is out of reach");
  },
  doubles: async (send: () => Promise<unknown>) => {
    await Promise.all([send(), send()]);
  },
} as const satisfies Record<string, (send: () => Promise<unknown>) => Promise<unknown>>;

/** Until the mocks are restored. @returns copies of all that is sent meanwhile */
export function breakQueue(fault: keyof typeof queueFaults): unknown[] {
  const { send } = queue;
  const sent: unknown[] = [];
  replaceSend(async function (message) {
    sent.push(structuredClone(message));
    await queueFaults[fault](() => send.call(this, message));
  });
  return sent;
}

/** Brings messages, as the queue does, all at once. @returns how many are to be brought again */
export async function deliverMessages(messages: readonly unknown[]): Promise<number> {
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
