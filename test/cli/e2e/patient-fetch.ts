/** Sends a request again if the development server, and not the service, answers 500, as it does on a busy machine. */
import { setTimeout as sleep } from "node:timers/promises";

const maxAttempts = 5;
const waitMs = 1_000;

/** A repetition is safe: the SDK sends every POST with an idempotency key. */
export const patientFetch: typeof globalThis.fetch = async (input, init) => {
  for (let attempts = 1; ; attempts += 1) {
    const answer = await fetch(input, init);
    const isOurs = answer.headers.has("X-Request-Id");
    if (answer.status !== 500 || isOurs || attempts === maxAttempts) return answer;
    await answer.body?.cancel();
    await sleep(waitMs);
  }
};
