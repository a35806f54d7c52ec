/** What is measured: server processes, and the bursts of requests they are asked with. */
import type { Shot } from "./protocol.ts";

/** Longer than an alarm waits that delivers: 200 ms. */
export const alarmRestMs = 400;

/** A server process of its own. */
export interface Subject {
  readonly name: string;
  readonly origin: string;
  readonly pid: number;
  /** What may follow an answer begins within so long, ms; 0: nothing does. */
  readonly restMs: number;
  close(): Promise<void>;
}

/** Requests of one burst. */
export interface Prepared {
  /** Bring the stores to where the burst begins; not measured. */
  readonly before: readonly Shot[];
  /** Sent right before; not measured. */
  readonly warmUp: readonly Shot[];
  readonly shots: readonly Shot[];
}

/** Makes a burst of that many requests. */
export type Prepare = (requests: number) => Promise<Prepared> | Prepared;

/** Whose requests they are: many users', one user's, or users' who have not been there for a while. */
export type Whose = "many" | "one" | "cold";
