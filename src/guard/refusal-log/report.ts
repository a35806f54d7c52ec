/**
 * Reports requests from the edge to a tenant's refusal log, so that a flood costs little: refused requests, and those
 * that read the trail. Within ten seconds an isolate sends the first hundred refusals of a kind and token one by one. Of
 * `rate_limited`, which always means a flood, and of reads it sends only the first. The others are counted in the
 * isolate's memory and sent in one call when the ten seconds are over.
 *
 * An isolate that ends within those ten seconds loses that count. It loses nothing else of refusals; a read is sent
 * after its answer, and is lost too if the isolate ends before. The alternative would be a write for each request of a
 * faulty client, and a round trip before the answer to each read.
 */
import type { CountedRequest } from "../../audit/counted-request.ts";
import type { RefusedRequest } from "../../audit/refused-request.ts";
import { BoundedMap } from "../../bounded-map.ts";
import { awaitWithin } from "../../deadline.ts";
import { stubFor } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { Refusal } from "../decisions/refusals.ts";
import type { TrailRead } from "./trail-read.ts";

/** As long as the window of the edge's rate limit. */
const windowMs = 10_000;
const maxRefusalsSentSingly = 100;
const maxWindows = 10_000;
/** How long a refused request waits for the log before it is answered. */
const answerTimeoutMs = 2_000;

/** How requests of one kind are sent. */
interface Reporter<Request extends CountedRequest> {
  /** Requests of one kind and token have the same key. */
  readonly key: string;
  readonly maxSentSingly: number;
  /** Sends a number of requests, of which one is the last. Never throws. */
  send(last: Request, count: number): Promise<void>;
}

/** Requests of one kind and token within ten seconds. */
interface Window {
  readonly endsAt: number;
  /** Requests that were sent one by one. */
  sent: number;
  /** Requests counted here, to be sent when the window ends. */
  held: number;
  /** Sends those. */
  sendHeld: () => Promise<void>;
}

const windows = new BoundedMap<string, Window>({ maxEntries: maxWindows });

function refusalOf(refused: RefusedRequest, count: number): Refusal {
  return {
    action: "request.refused",
    reason: refused.code,
    route: refused.route,
    count,
    at: refused.at,
    actor: { type: "api_token", id: refused.tokenId },
    requestId: refused.requestId,
  };
}

function trailReadOf({ at, tokenId, requestId }: CountedRequest, count: number): TrailRead {
  return { count, at, actor: { type: "api_token", id: tokenId }, requestId };
}

function tenantOf({ tenantId, destinations, location }: CountedRequest) {
  return { tenantId, destinations, jurisdiction: location.jurisdiction };
}

function logOf({ REFUSALS }: Env, { tenantId, location }: CountedRequest) {
  return stubFor(REFUSALS, tenantId, location);
}

async function sendRefusals(env: Env, refused: RefusedRequest, count: number): Promise<void> {
  const { tenantId, requestId, code } = refused;
  const fields = { request_id: requestId, tenant_id: tenantId, code, count };
  try {
    const counting = logOf(env, refused).count(
      tenantId,
      refusalOf(refused, count),
      tenantOf(refused),
    );
    if (await awaitWithin(answerTimeoutMs, counting)) return;
    log("error", "refusal_not_recorded", { ...fields, cause: "not counted" });
  } catch (error) {
    log("error", "refusal_not_recorded", { ...fields, cause: causeOf(error) });
  }
}

async function sendTrailReads(env: Env, read: CountedRequest, count: number): Promise<void> {
  const { tenantId, requestId } = read;
  const fields = { request_id: requestId, tenant_id: tenantId, count };
  try {
    const counting = logOf(env, read).countRead(tenantId, trailReadOf(read, count), tenantOf(read));
    if (await awaitWithin(answerTimeoutMs, counting)) return;
    log("error", "audit_read_not_recorded", { ...fields, cause: "not counted" });
  } catch (error) {
    log("error", "audit_read_not_recorded", { ...fields, cause: causeOf(error) });
  }
}

/** The present window of a key, or a new one. */
function findOrOpenWindow(key: string, arrivedAt: number): Window {
  const present = windows.get(key);
  if (
    present !== undefined &&
    arrivedAt < present.endsAt &&
    arrivedAt >= present.endsAt - windowMs
  ) {
    return present;
  }
  const window = { endsAt: arrivedAt + windowMs, sent: 0, held: 0, sendHeld: async () => {} };
  windows.set(key, window);
  return window;
}

/** Reports a request at once, or when its window ends. @returns the work of the latter */
async function report<Request extends CountedRequest>(
  request: Request,
  { key, maxSentSingly, send }: Reporter<Request>,
): Promise<(() => Promise<void>) | undefined> {
  const window = findOrOpenWindow(key, request.arrivedAt);
  if (window.sent < maxSentSingly) {
    window.sent += 1;
    await send(request, 1);
    return undefined;
  }
  window.held += 1;
  window.sendHeld = () => send(request, window.held);
  if (window.held > 1) return undefined;
  return async () => {
    await scheduler.wait(window.endsAt - request.arrivedAt);
    if (windows.get(key) === window) windows.delete(key);
    await window.sendHeld();
  };
}

/** Reports a refused request, at once or when its window ends. Never throws. */
export async function reportRefusal(
  env: Env,
  refused: RefusedRequest,
  waitUntil: (work: Promise<unknown>) => void,
): Promise<void> {
  const { tokenId, route, code } = refused;
  const later = await report(refused, {
    key: `${tokenId} ${route} ${code}`,
    maxSentSingly: code === "rate_limited" ? 1 : maxRefusalsSentSingly,
    send: (last, count) => sendRefusals(env, last, count),
  });
  if (later !== undefined) waitUntil(later());
}

/** Reports a request that read the trail. It may take until its window ends. Never throws. */
export async function reportTrailRead(env: Env, read: CountedRequest): Promise<void> {
  const later = await report(read, {
    key: read.tokenId,
    maxSentSingly: 1,
    send: (last, count) => sendTrailReads(env, last, count),
  });
  await later?.();
}
