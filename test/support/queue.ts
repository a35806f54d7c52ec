/** Faults of the delivery queue, injected into the platform's class, so that every guard meets them. */
import {
  createExecutionContext,
  createMessageBatch,
  getQueueResult,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, vi } from "vitest";
import worker from "../../src/index.ts";
import { hangForever } from "./deadlines.ts";

type Send = (this: unknown, message: unknown) => Promise<unknown>;

const queue: { send: Send } = Object.getPrototypeOf(env.QUEUE_FOR_TESTS);

/** Gives all guards a queue. By default the service has none. @returns a function that undoes this */
export async function provideQueue(): Promise<() => void> {
  const unusedGuard = env.GUARD.get(env.GUARD.idFromName("unused"));
  const bindings = await runInDurableObject(unusedGuard, (guard) =>
    Object(Reflect.get(guard, "env")),
  );
  Reflect.set(bindings, "DELIVERIES", Reflect.get(bindings, "QUEUE_FOR_TESTS"));
  return () => void Reflect.deleteProperty(bindings, "DELIVERIES");
}

/** Gives the guards a queue during the tests of this file or block. */
export function useQueue(): void {
  let remove = () => {};
  beforeAll(async () => {
    remove = await provideQueue();
  });
  afterAll(() => remove());
}

function replaceSend(send: Send) {
  return vi.spyOn(queue, "send").mockImplementation(send);
}

/** Refuses every message until the mocks are restored. */
export function refuseMessages() {
  return replaceSend(queueFaults.refuses);
}

/** Holds every message in the returned list until the mocks are restored. */
export function holdMessages(): unknown[] {
  const held: unknown[] = [];
  replaceSend(async (message) => {
    // The queue stores a copy too.
    held.push(structuredClone(message));
  });
  return held;
}

/** Faults of a send. With some of them the queue still delivers the message. */
export const queueFaults = {
  refuses: async () => {
    throw new Error("the queue is closed");
  },
  hangs: hangForever,
  "loses the reply": async (send: () => Promise<unknown>) => {
    await send();
    throw new Error("the queue is out of reach");
  },
  doubles: async (send: () => Promise<unknown>) => {
    await Promise.all([send(), send()]);
  },
} as const satisfies Record<string, (send: () => Promise<unknown>) => Promise<unknown>>;

/** Injects a fault until the mocks are restored. @returns copies of all messages sent meanwhile */
export function breakQueue(fault: keyof typeof queueFaults): unknown[] {
  const { send } = queue;
  const sent: unknown[] = [];
  replaceSend(async function (message) {
    sent.push(structuredClone(message));
    await queueFaults[fault](() => send.call(this, message));
  });
  return sent;
}

/** Delivers the messages in one batch, as the queue does. @returns the number of messages to retry */
export async function deliverMessages(
  messages: readonly unknown[],
  queueName: "edge-idp-deliveries" | "edge-idp-deliveries-dead" = "edge-idp-deliveries",
): Promise<number> {
  const batch = createMessageBatch<unknown>(
    queueName,
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
