/**
 * The ledger of a soak: which acts the service has acknowledged, and what the audit trail says about them (pure). Each
 * act leaves exactly one event.
 */

/** What the event of an act must say. */
export interface Act {
  readonly externalId: string;
  readonly action: string;
  readonly outcome: "success" | "failure" | "refused";
  readonly reason: string | null;
}

/** What the ledger needs of an exported event. */
export interface TrailEvent extends Act {
  readonly id: string;
  readonly requestId: string;
}

export interface Verdict {
  readonly acknowledged: number;
  readonly found: number;
  /** Acknowledged acts without an event. */
  readonly missing: readonly string[];
  /** Events of acts that already have one, and events that were exported twice. */
  readonly repeated: readonly string[];
  /** Events that say something else than the act of their request. */
  readonly different: readonly string[];
  /** Events that no act explains. */
  readonly unexplained: readonly string[];
}

function describe({ externalId, action, outcome, reason }: Act): string {
  return `${action} ${outcome}${reason === null ? "" : ` ${reason}`} of ${externalId}`;
}

export class Ledger {
  readonly #acts = new Map<string, Act>();
  readonly #found = new Set<string>();
  readonly #eventIds = new Set<string>();
  /** Numbers of requests that got no answer, by what they may have done. */
  readonly #open = new Map<string, number>();
  readonly #repeated: string[] = [];
  readonly #different: string[] = [];
  readonly #unexplained: string[] = [];

  /** The service has answered that it did this. */
  acknowledge(requestId: string, act: Act): void {
    this.#acts.set(requestId, act);
  }

  /** The request got no answer, so its event may exist or not. */
  leaveOpen({ externalId, action }: Act): void {
    const key = `${action} ${externalId}`;
    this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
  }

  /** Enters an event of the trail. Each event is entered once, so an event that comes again is an error. */
  enter(event: TrailEvent): void {
    const name = `${event.id}, ${describe(event)} (request ${event.requestId})`;
    if (this.#eventIds.has(event.id)) {
      this.#repeated.push(name);
      return;
    }
    this.#eventIds.add(event.id);
    const act = this.#acts.get(event.requestId);
    if (act === undefined) this.#explain(event, name);
    else if (this.#found.has(event.requestId)) this.#repeated.push(name);
    else {
      this.#found.add(event.requestId);
      if (describe(act) !== describe(event)) {
        this.#different.push(`${name} instead of ${describe(act)}`);
      }
    }
  }

  #explain({ externalId, action }: TrailEvent, name: string): void {
    const key = `${action} ${externalId}`;
    const open = this.#open.get(key) ?? 0;
    if (open === 0) this.#unexplained.push(name);
    else this.#open.set(key, open - 1);
  }

  /** Whether every acknowledged act has its event. */
  get isComplete(): boolean {
    return this.#found.size === this.#acts.size;
  }

  judge(): Verdict {
    const missing = [...this.#acts].filter(([requestId]) => !this.#found.has(requestId));
    return {
      acknowledged: this.#acts.size,
      found: this.#found.size,
      missing: missing.map(([requestId, act]) => `${describe(act)} (request ${requestId})`),
      repeated: this.#repeated,
      different: this.#different,
      unexplained: this.#unexplained,
    };
  }
}

/** Whether each acknowledged act has exactly the event that it must have, and no other event exists. */
export function isFaultless(verdict: Verdict): boolean {
  const { missing, repeated, different, unexplained } = verdict;
  return [missing, repeated, different, unexplained].every((faults) => faults.length === 0);
}
