/**
 * The way from the edge to a tenant's refusal log, made so that a flood costs little. In ten seconds
 * an isolate tells a hundred refusals of a kind and token one by one, and of `rate_limited`, which
 * is a flood by definition, only the first. What is above that is counted in the isolate's memory
 * and told with one call when the ten seconds are over.
 *
 * That count, and nothing else, is lost with an isolate that dies in those ten seconds: the price of
 * answering a client gone wild without a write for each of its requests.
 */
import type { RefusedRequest } from "../../audit/refused-request.ts";
import { within } from "../../deadline.ts";
import { stubFor } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { Refusal } from "../decisions/refusals.ts";

/** As long as the window of the edge's rate limit. */
const windowMs = 10_000;
const maxSentSingly = 100;
const maxWindows = 10_000;
/** A refusal's answer waits for the log no longer than for any store. */
const answerTimeoutMs = 2_000;

interface Window {
  readonly endsAt: number;
  /** Told one by one. */
  told: number;
  /** Counted here, told when the window ends. */
  held: number;
  last: RefusedRequest;
}

const windows = new Map<string, Window>();

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

async function record({ REFUSALS }: Env, refused: RefusedRequest, count: number): Promise<void> {
  const notRecorded = (cause: string) =>
    log("error", "refusal_not_recorded", {
      request_id: refused.requestId,
      tenant_id: refused.tenantId,
      code: refused.code,
      cause,
      count,
    });
  try {
    const stub = stubFor(REFUSALS, refused.tenantId, refused.location);
    const counting = stub.count(refused.tenantId, refusalOf(refused, count));
    if (!(await within(answerTimeoutMs, counting))) notRecorded("not counted");
  } catch (error) {
    notRecorded(causeOf(error));
  }
}

/** The window that a refusal falls into: the present one of its kind and token, or a new one. */
function windowFor(key: string, refused: RefusedRequest): Window {
  const { arrivedAt } = refused;
  const present = windows.get(key);
  if (present !== undefined) {
    if (arrivedAt < present.endsAt && arrivedAt >= present.endsAt - windowMs) return present;
    windows.delete(key);
  }
  if (windows.size >= maxWindows) {
    const [oldest] = windows.keys();
    if (oldest !== undefined) windows.delete(oldest);
  }
  const window = { endsAt: arrivedAt + windowMs, told: 0, held: 0, last: refused };
  windows.set(key, window);
  return window;
}

/** Tells a refused request, at once or when the window ends. Never throws. */
export async function reportRefusal(
  env: Env,
  refused: RefusedRequest,
  waitUntil: (work: Promise<unknown>) => void,
): Promise<void> {
  const key = `${refused.tokenId} ${refused.route} ${refused.code}`;
  const window = windowFor(key, refused);
  if (window.told < (refused.code === "rate_limited" ? 1 : maxSentSingly)) {
    window.told += 1;
    await record(env, refused, 1);
    return;
  }
  window.held += 1;
  window.last = refused;
  if (window.held > 1) return;
  const tellHeld = async () => {
    await scheduler.wait(window.endsAt - refused.arrivedAt);
    if (windows.get(key) === window) windows.delete(key);
    await record(env, window.last, window.held);
  };
  waitUntil(tellHeld());
}
