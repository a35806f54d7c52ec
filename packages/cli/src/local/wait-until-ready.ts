/** Waits until a local service is ready. */
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../failure.ts";

const pollMs = 100;
const requestTimeoutMs = 5_000;
/** The first start bundles the Worker, which takes long on a slow machine. */
const maxStartMs = 90_000;
/** A service that answers "not ready" for longer rarely recovers. */
const maxUnreadyMs = 10_000;

/** Waits until `GET /readyz` answers 200. @throws Failure after 90 s, or after 10 s of other answers */
export async function waitUntilReady(url: string, signal: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  let refusedSince: number | undefined;
  let lastRefusal = "";
  while (!signal.aborted) {
    try {
      const answer = await fetch(`${url}/readyz`, {
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      if (answer.status === 200) return;
      lastRefusal = await answer.text();
      refusedSince ??= Date.now();
    } catch {
      // The service does not listen yet.
    }
    if (refusedSince !== undefined && Date.now() - refusedSince > maxUnreadyMs) {
      throw new Failure(`The service runs but is not ready: ${lastRefusal}`);
    }
    if (Date.now() - startedAt > maxStartMs) {
      throw new Failure(`The service did not answer at ${url} within ${maxStartMs / 1000} s.`);
    }
    await sleep(pollMs, undefined, { signal }).catch(() => {});
  }
}
