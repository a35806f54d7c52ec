/** What the visitors of a soak have in common. */
import type { Ledger } from "./ledger.ts";

/** What the visitors of a soak count together. */
export class Tally {
  answers = 0;
  /** Requests without an answer, and answers that the service was not available or too busy. */
  readonly unacknowledged = new Map<string, number>();
  /** Answers that contradict what the visitor knows. */
  readonly wrongAnswers: string[] = [];
  users = 0;

  /** Counts a request by the reason why it acknowledged nothing. */
  addUnacknowledged(why: string): void {
    this.unacknowledged.set(why, (this.unacknowledged.get(why) ?? 0) + 1);
  }
}

/** What all visitors of a soak have in common. */
export interface Load {
  readonly url: string;
  readonly ledger: Ledger;
  readonly tally: Tally;
  /** Whether the first users stay, instead of new ones taking their place now and then. */
  readonly keepsUsers: boolean;
}
