/**
 * The delivery gate: one Durable Object for each database. An object whose delivery is late asks it before it
 * tries D1 again. All of this is in memory: if it is lost, a few more deliveries than usual run at once.
 *
 * Admissions end in real time, so the clock is read here.
 */
import { DurableObject } from "cloudflare:workers";
import { Admissions, type Deliverer, type DeliveryOutcome } from "./admissions.ts";
import { LateDeliverers, type LateDeliveries } from "./late-deliverers.ts";

export class DeliveryGate extends DurableObject<Env> {
  readonly #admissions = new Admissions();
  readonly #late = new LateDeliverers();

  enter(deliverer: Deliverer): number {
    const now = Date.now();
    this.#late.see(deliverer, now);
    return this.#admissions.enter(deliverer, now);
  }

  leave(deliverer: Deliverer, outcome: DeliveryOutcome): void {
    if (outcome === "delivered") this.#late.remove(deliverer);
    this.#admissions.leave(deliverer, outcome, Date.now());
  }

  /** The objects whose deliveries are late, as far as this run of the gate has seen them. */
  reportLate(): LateDeliveries {
    return this.#late.report(Date.now());
  }
}
