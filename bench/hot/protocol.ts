/** The messages between the bench and its load process. */

/** One prepared request. Any status but the expected one ends the bench. */
export interface Shot {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly status: number;
}

export interface Burst {
  readonly origin: string;
  /** The process whose processor time is measured. */
  readonly pid: number;
  /** Sent first and not measured: opens connections and warms caches. */
  readonly warmUp: readonly Shot[];
  readonly shots: readonly Shot[];
  /** Concurrent requests. */
  readonly concurrency: number;
  /** Waits after the last answer until the process was idle for so long; 0 means no wait. */
  readonly restMs: number;
  /** Whether to return the answers. */
  readonly collect: boolean;
}

export interface Received {
  readonly body: string;
  /** The cookies as a browser would send them back. */
  readonly cookie: string;
}

export interface Outcome {
  /** From the first request to the last answer. */
  readonly wallMs: number;
  /** Processor time of the server process in that time. */
  readonly requestNs: number;
  /** The same until the process was idle. */
  readonly restNs: number;
  /** Whether a thread has ended in that time. Its processor time is lost, so the figures are invalid. */
  readonly lostThread: boolean;
  readonly answers: readonly Received[];
}

export type Reply =
  | { readonly ok: true; readonly outcome: Outcome }
  | { readonly ok: false; readonly error: string };
