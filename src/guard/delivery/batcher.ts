/**
 * Sends what a guard has to deliver by way of the queue, a moment after the first of it: the events of
 * one burst travel together, and nothing more is sent until that is known to have arrived. All of it is
 * in memory: what the courier loses, the guard's alarm delivers.
 */
import { deliveryDelayMs } from "./retry-alarm.ts";

/** What a guard has sent. */
export interface SentDelivery {
  /** Of this one waking of the guard: put back to an earlier time, it gives out numbers a second time. */
  readonly sender: string;
  /** The last row of the outbox that is in it. */
  readonly lastSeq: number;
}

export class DeliveryBatcher {
  readonly sender = crypto.randomUUID();
  readonly #ctx: DurableObjectState;
  readonly #send: () => Promise<boolean>;
  /** `collecting`: it goes in a moment; `sent`: whether that has arrived is not known yet. */
  #state: "resting" | "collecting" | "sent" = "resting";

  /** @param send sends all there is; whether anything is on its way then. Must not throw */
  constructor(ctx: DurableObjectState, send: () => Promise<boolean>) {
    this.#ctx = ctx;
    this.#send = send;
  }

  schedule(): void {
    if (this.#state !== "resting") return;
    this.#state = "collecting";
    this.#ctx.waitUntil(this.#run());
  }

  /** All that was sent has arrived, by whatever way, or nothing was. */
  confirm(): void {
    if (this.#state === "sent") this.#state = "resting";
  }

  async #run(): Promise<void> {
    await scheduler.wait(deliveryDelayMs);
    // At once: the news of its arrival may be here before the queue has said that it has it.
    this.#state = "sent";
    if (!(await this.#send())) this.confirm();
  }
}
