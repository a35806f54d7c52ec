/**
 * Receivers of webhooks and streams: the other end of the network. A test stops the clock an hour ahead, so that a
 * follower runs only when the test lets it run.
 */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { vi } from "vitest";
import { type Answer, send, type Tenant } from "./client.ts";
import { nameIn } from "./jurisdictions.ts";

const hourMs = 60 * 60 * 1000;

/** Stops the clock an hour ahead. `vi.useRealTimers` starts it again. */
export function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hourMs });
}

export function passTime(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

/** A request as it arrived. */
export interface Received {
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  /** When it arrived, Unix ms. */
  readonly at: number;
}

type Answering = (received: Received, init: RequestInit) => Response | Promise<Response>;

function accept(): Response {
  return new Response(null, { status: 204 });
}

/** What stands at one host. Other hosts are out of reach. */
export class Receiver {
  readonly received: Received[] = [];
  /** What it answers. It may be replaced at any time. */
  answer: Answering = accept;

  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** The ids of the webhook messages that have arrived, in order. */
  get ids(): string[] {
    return this.received.map(({ headers }) => headers["webhook-id"] ?? "");
  }

  /** The types of the webhook messages that have arrived, in order. */
  get types(): string[] {
    return this.received.map((message) => readJson(message).type);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads the fields that it expects, and fails otherwise.
export function readJson({ body }: Received): any {
  return JSON.parse(new TextDecoder().decode(body));
}

/** Verifies a message as a tenant does. @throws if no signature fits, or the time does not */
export function verifyMessage(secret: string, { headers, body }: Received): unknown {
  return new Webhook(secret).verify(new TextDecoder().decode(body), headers);
}

let hosts = 0;

const realFetch = globalThis.fetch;

/** Replaces the network by these receivers, until `disconnect`. */
export function connect(...receivers: readonly Receiver[]): void {
  globalThis.fetch = async (input: RequestInfo | URL, init: RequestInit = {}) => {
    const request = new Request(input, { ...init, signal: null });
    const receiver = receivers.find(({ url }) => request.url.startsWith(url));
    if (receiver === undefined) throw new TypeError("Network connection lost.");
    if (init.redirect !== "manual") throw new Error("The request follows redirects");
    const body = new Uint8Array(await request.arrayBuffer());
    const headers = Object.fromEntries(request.headers);
    const received = { url: request.url, method: request.method, headers, body, at: Date.now() };
    receiver.received.push(received);
    return await receiver.answer(received, init);
  };
}

export function disconnect(): void {
  globalThis.fetch = realFetch;
}

/** Creates a receiver at a host of its own. */
export function createReceiver(): Receiver {
  hosts += 1;
  return new Receiver(`https://receiver-${hosts}.example.com/hooks`);
}

export interface CreatedWebhook {
  readonly id: string;
  readonly secret: string;
}

/** A tenant, as far as requests about webhooks need it. */
type Owner = Pick<Tenant, "id" | "token"> & Partial<Pick<Tenant, "jurisdiction">>;

export async function createWebhook(
  { token }: Pick<Owner, "token">,
  { url }: { readonly url: string },
  events: readonly string[] = ["*"],
): Promise<CreatedWebhook> {
  const call = { token, body: { webhook: { url, events } } };
  const { status, body } = await send("POST", "/v1/webhooks", call);
  if (status !== 201) throw new Error(`No webhook: ${status} ${JSON.stringify(body)}`);
  return body.webhook;
}

export async function addWebhooks(tenant: Tenant, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await createWebhook(tenant, createReceiver());
}

export async function listAttempts({ token }: Owner, id: string): Promise<Answer["body"][]> {
  return (await send("GET", `/v1/webhooks/${id}/attempts`, { token })).body.attempts;
}

/** Creates a webhook that has tried to send an event, and failed: there is no network. */
export async function giveAttempt(
  tenant: Owner,
  collectSecret: (secret: string) => void = () => {},
) {
  connect();
  const created = await createWebhook(tenant, createReceiver(), ["webhook.created"]);
  const { id: webhookId } = created;
  collectSecret(created.secret);
  try {
    return await vi.waitFor(
      async () => {
        await runFollower(tenant, webhookId);
        const [attempt] = await listAttempts(tenant, webhookId);
        if (attempt === undefined) throw new Error("Nothing was sent yet");
        return { webhookId, eventId: String(attempt.event_id) };
      },
      { timeout: 20_000, interval: 50 },
    );
  } finally {
    disconnect();
  }
}

/** Makes as many deliveries of a webhook wait as may wait; the one of its attempt is not among them. */
export async function fillWaiting(tenant: Owner, id: string): Promise<void> {
  await runInDurableObject(followerOf(tenant, id), (_follower, { storage }) => {
    storage.sql.exec("DELETE FROM waiting");
    storage.sql.exec(
      "INSERT INTO waiting SELECT value + 1000000, 'e', 1, 9e15 FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1000) SELECT value FROM n)",
    );
  });
}

export function followerOf({ id: tenantId, jurisdiction }: Owner, id: string) {
  const name = `${tenantId} ${id}`;
  const objectName = jurisdiction === undefined ? name : nameIn(jurisdiction, name);
  return env.FOLLOWERS.get(env.FOLLOWERS.idFromName(objectName));
}

/** Lets the follower run once, whether or not its alarm is due. @returns whether it had one */
export async function runFollower(tenant: Owner, id: string): Promise<boolean> {
  return await runDurableObjectAlarm(followerOf(tenant, id));
}

/** When the follower's alarm is due, Unix ms; null if none is set. */
export async function readFollowerAlarm(tenant: Owner, id: string): Promise<number | null> {
  return await runInDurableObject(followerOf(tenant, id), (_follower, { storage }) =>
    storage.getAlarm(),
  );
}

/** Evicts the follower: it loses its memory and keeps its storage. */
export async function evictFollower(tenant: Owner, id: string): Promise<void> {
  await evictDurableObject(followerOf(tenant, id));
}
