/** What the bench and its load process tell each other. */

/** One request, prepared before. Any other status than the expected one ends the bench. */
export interface Shot {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly status: number;
}

export interface Burst {
  readonly origin: string;
  /** Whose processor time is read. */
  readonly pid: number;
  /** Sent before, outside of the figures: opens connections, and makes warm what has to be warm. */
  readonly warmUp: readonly Shot[];
  readonly shots: readonly Shot[];
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Waits after the last answer until the process had nothing to do for so long; 0: not at all. */
  readonly restMs: number;
  /** Whether the answers are wanted. */
  readonly collect: boolean;
}

export interface Received {
  readonly body: string;
  /** As a browser would send them back. */
  readonly cookie: string;
}

export interface Outcome {
  /** From the first request to the last answer. */
  readonly wallMs: number;
  /** Processor time of the server process meanwhile. */
  readonly requestNs: number;
  /** The same until the process rested. */
  readonly restNs: number;
  /** A thread ended meanwhile and took its time with it: the figures are worth nothing. */
  readonly lostThread: boolean;
  readonly answers: readonly Received[];
}

export type Reply =
  | { readonly ok: true; readonly outcome: Outcome }
  | { readonly ok: false; readonly error: string };
