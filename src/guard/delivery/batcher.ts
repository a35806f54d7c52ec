/**
 * Collects what a guard has to deliver, and sends it through the queue: 200 ms after the first event, so that
 * the events of a burst are sent together. It sends nothing more until the consumer has confirmed the delivery.
 * All of this is in memory. If it is lost, the guard's alarm delivers the outbox.
 */
import { deliveryDelayMs } from "../../retry-alarm.ts";

/** Identifies what a guard has sent. */
export interface SentDelivery {
  /** Random, and new each time the guard starts, because a guard that was restored uses its row numbers again. */
  readonly sender: string;
  /** The last row of the outbox in the delivery. */
  readonly lastSeq: number;
}

export class DeliveryBatcher {
  readonly sender = crypto.randomUUID();
  readonly #ctx: DurableObjectState;
  readonly #send: () => Promise<boolean>;
  /** `sent`: it is not known yet whether the delivery has arrived. */
  #state: "resting" | "collecting" | "sent" = "resting";

  /** @param send sends the whole outbox, and returns whether anything was sent. It must not throw */
  constructor(ctx: DurableObjectState, send: () => Promise<boolean>) {
    this.#ctx = ctx;
    this.#send = send;
  }

  schedule(): void {
    if (this.#state !== "resting") return;
    this.#state = "collecting";
    this.#ctx.waitUntil(this.#run());
  }

  /** Whether something was sent and is not confirmed yet. */
  isAwaitingConfirmation(): boolean {
    return this.#state === "sent";
  }

  /** Everything that was sent is in D1, or nothing was sent. */
  confirm(): void {
    if (this.#state === "sent") this.#state = "resting";
  }

  async #run(): Promise<void> {
    await scheduler.wait(deliveryDelayMs);
    // Set before the send: the confirmation may arrive before the queue has answered.
    this.#state = "sent";
    if (!(await this.#send())) this.confirm();
  }
}
