/**
 * The delivery gate: one Durable Object for each database. An object whose delivery is late asks it before it
 * tries D1 again. All of this is in memory: if it is lost, a few more deliveries than usual run at once.
 *
 * Admissions end in real time, so the clock is read here.
 */
import { DurableObject } from "cloudflare:workers";
import { Admissions, type Deliverer, type DeliveryOutcome } from "./admissions.ts";

export class DeliveryGate extends DurableObject<Env> {
  readonly #admissions = new Admissions();

  enter(deliverer: Deliverer): number {
    return this.#admissions.enter(deliverer, Date.now());
  }

  leave(deliverer: Deliverer, outcome: DeliveryOutcome): void {
    this.#admissions.leave(deliverer, outcome, Date.now());
  }
}
