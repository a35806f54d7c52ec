/** Requests of `npm run dev` to the service: readiness, and the demo tenant. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { Failure } from "../../packages/cli/src/failure.ts";

const pollMs = 100;
const requestTimeoutMs = 5_000;
/** The first start bundles the Worker, which takes long on a slow machine. */
const maxStartMs = 90_000;
/** A service that answers "not ready" for longer rarely recovers. */
const maxUnreadyMs = 10_000;

const created = z.object({ token: z.object({ secret: z.string() }) });

function send(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, signal: AbortSignal.timeout(requestTimeoutMs) });
}

/** Waits until `GET /readyz` answers 200. @throws Failure after 90 s, or after 10 s of other answers */
export async function waitUntilReady(url: string, signal: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  let refusedSince: number | undefined;
  let lastRefusal = "";
  while (!signal.aborted) {
    try {
      const answer = await send(`${url}/readyz`);
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

/** Whether the service accepts this token. @throws Failure for an answer other than 200 and 401 */
export async function isTokenAccepted(url: string, token: string): Promise<boolean> {
  const answer = await send(`${url}/v1/idp/users?limit=1`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  if (answer.status === 200) return true;
  if (answer.status === 401) return false;
  throw new Failure(`Could not check the demo token: ${answer.status} ${await answer.text()}`);
}

/** Creates the demo tenant, in test mode, and returns the secret of its first token. */
export async function createDemoTenant(url: string, operatorToken: string): Promise<string> {
  const answer = await send(`${url}/v1/tenants`, {
    method: "POST",
    headers: { Authorization: `Bearer ${operatorToken}`, "Content-Type": "application/json" },
    body: JSON.stringify({ tenant: { name: "Demo", mode: "test" } }),
  });
  const text = await answer.text();
  if (answer.status !== 201) {
    throw new Failure(`Could not create the demo tenant: ${answer.status} ${text}`);
  }
  return created.parse(JSON.parse(text)).token.secret;
}
