/** The events of a discrete-event model, by time: a binary heap. */

interface ScheduledEvent {
  readonly at: number;
  readonly work: () => void;
}

export class EventQueue {
  readonly #heap: ScheduledEvent[] = [];
  /** The time of the event that runs, ms. */
  now = 0;

  schedule(delayMs: number, work: () => void): void {
    const event = { at: this.now + delayMs, work };
    let index = this.#heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#heap[parent];
      if (above === undefined || above.at <= event.at) break;
      this.#heap[index] = above;
      index = parent;
    }
    this.#heap[index] = event;
  }

  /** Runs events as long as there are any and the condition holds. */
  run(condition: () => boolean): void {
    while (condition()) {
      const event = this.#take();
      if (event === undefined) return;
      this.now = event.at;
      event.work();
    }
  }

  #take(): ScheduledEvent | undefined {
    const [first] = this.#heap;
    const last = this.#heap.pop();
    if (last === undefined || first === last) return first;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = this.#heap[left + 1];
      const isRight = right !== undefined && right.at < (this.#heap[left]?.at ?? 0);
      const child = isRight ? left + 1 : left;
      const below = this.#heap[child];
      if (below === undefined || below.at >= last.at) break;
      this.#heap[index] = below;
      index = child;
    }
    this.#heap[index] = last;
    return first;
  }
}
