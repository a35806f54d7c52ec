/** Requests of `npm run dev` to the service about the demo tenant. */
import { z } from "zod";
import { Failure } from "../../packages/cli/src/failure.ts";

const requestTimeoutMs = 5_000;

const created = z.object({ token: z.object({ secret: z.string() }) });

function send(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, signal: AbortSignal.timeout(requestTimeoutMs) });
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

/** Has the demo tenant keep what is personal for 90 days, as docs/tutorial.md shows. */
export async function limitDemoData(url: string, token: string): Promise<void> {
  const answer = await send(`${url}/v1/settings`, {
    method: "PATCH",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ settings: { retention: { personal_days: 90 } } }),
  });
  if (answer.status !== 200) {
    throw new Failure(`Could not set up the demo tenant: ${answer.status} ${await answer.text()}`);
  }
}
