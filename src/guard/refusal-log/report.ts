/**
 * Reports refused requests from the edge to a tenant's refusal log, so that a flood costs little. Within ten
 * seconds an isolate sends the first hundred refusals of a kind and token one by one. Of `rate_limited`, which
 * always means a flood, it sends only the first. The others are counted in the isolate's memory and sent in one
 * call when the ten seconds are over.
 *
 * An isolate that ends within those ten seconds loses that count and nothing else. The alternative would be a
 * write for each request of a faulty client.
 */
import type { RefusedRequest } from "../../audit/refused-request.ts";
import { BoundedMap } from "../../bounded-map.ts";
import { awaitWithin } from "../../deadline.ts";
import { stubFor } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { Refusal } from "../decisions/refusals.ts";

/** As long as the window of the edge's rate limit. */
const windowMs = 10_000;
const maxSentSingly = 100;
const maxWindows = 10_000;
/** How long a refused request waits for the log before it is answered. */
const answerTimeoutMs = 2_000;

/** Refusals of one kind and token within ten seconds. */
interface Window {
  readonly endsAt: number;
  /** Refusals that were sent one by one. */
  sent: number;
  /** Refusals counted here, to be sent when the window ends. */
  held: number;
  last: RefusedRequest;
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

async function send({ REFUSALS }: Env, refused: RefusedRequest, count: number): Promise<void> {
  const logFailure = (cause: string) =>
    log("error", "refusal_not_recorded", {
      request_id: refused.requestId,
      tenant_id: refused.tenantId,
      code: refused.code,
      cause,
      count,
    });
  try {
    const stub = stubFor(REFUSALS, refused.tenantId, refused.location);
    const { tenantId, destinations, location } = refused;
    const tenant = { tenantId, destinations, jurisdiction: location.jurisdiction };
    const counting = stub.count(tenantId, refusalOf(refused, count), tenant);
    if (!(await awaitWithin(answerTimeoutMs, counting))) logFailure("not counted");
  } catch (error) {
    logFailure(causeOf(error));
  }
}

/** The present window of a key, or a new one. */
function findOrOpenWindow(key: string, refused: RefusedRequest): Window {
  const { arrivedAt } = refused;
  const present = windows.get(key);
  if (
    present !== undefined &&
    arrivedAt < present.endsAt &&
    arrivedAt >= present.endsAt - windowMs
  ) {
    return present;
  }
  const window = { endsAt: arrivedAt + windowMs, sent: 0, held: 0, last: refused };
  windows.set(key, window);
  return window;
}

/** Reports a refused request, at once or when its window ends. Never throws. */
export async function reportRefusal(
  env: Env,
  refused: RefusedRequest,
  waitUntil: (work: Promise<unknown>) => void,
): Promise<void> {
  const key = `${refused.tokenId} ${refused.route} ${refused.code}`;
  const window = findOrOpenWindow(key, refused);
  if (window.sent < (refused.code === "rate_limited" ? 1 : maxSentSingly)) {
    window.sent += 1;
    await send(env, refused, 1);
    return;
  }
  window.held += 1;
  window.last = refused;
  if (window.held > 1) return;
  const sendHeld = async () => {
    await scheduler.wait(window.endsAt - refused.arrivedAt);
    if (windows.get(key) === window) windows.delete(key);
    await send(env, window.last, window.held);
  };
  waitUntil(sendHeld());
}
