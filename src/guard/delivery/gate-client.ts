/** Calls from guards and refusal logs to the delivery gate of a database. */
import { awaitWithin } from "../../deadline.ts";
import { noLocation, stubFor } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { Deliverer, DeliveryOutcome } from "./admissions.ts";
import type { LateDeliveries } from "./late-deliverers.ts";

const gateTimeoutMs = 2_000;

function gateOf({ GATE }: Env, shard: number) {
  return stubFor(GATE, String(shard), noLocation);
}

/**
 * Asks whether a late delivery may start. Never throws.
 * @returns 0 if it may; else in how many ms to ask again; undefined if the gate does not answer
 */
export async function enterGate(
  env: Env,
  shard: number,
  deliverer: Deliverer,
): Promise<number | undefined> {
  const enter = async () => await gateOf(env, shard).enter(deliverer);
  const answer = enter();
  try {
    return await awaitWithin(gateTimeoutMs, answer);
  } catch (error) {
    log("error", "gate_unreachable", { cause: causeOf(error) });
    // A place that a slow gate gives too late would be taken for a minute.
    const leave = (waitMs: number) =>
      waitMs === 0 ? leaveGate(env, shard, deliverer, "failed") : undefined;
    void answer.then(leave, () => {});
    return undefined;
  }
}

/** Asks which deliveries to a database are late. @throws DeadlineError, or what the call throws */
export async function measureLateDeliveries(env: Env, shard: number): Promise<LateDeliveries> {
  return await awaitWithin(gateTimeoutMs, gateOf(env, shard).reportLate());
}

/** Reports that an admitted delivery has ended. Never throws: an admission also ends by itself. */
export async function leaveGate(
  env: Env,
  shard: number,
  deliverer: Deliverer,
  outcome: DeliveryOutcome,
): Promise<void> {
  try {
    await awaitWithin(gateTimeoutMs, gateOf(env, shard).leave(deliverer, outcome));
  } catch {
    // The admission ends by itself.
  }
}
