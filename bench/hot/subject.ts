/** The measured server processes, and the bursts of requests that they receive. */
import type { Shot } from "./protocol.ts";

/** Longer than the 200 ms after which an alarm delivers. */
export const alarmRestMs = 400;

/** A separate server process. */
export interface Subject {
  readonly name: string;
  readonly origin: string;
  readonly pid: number;
  /** Work after an answer starts within so many ms; 0 means that none follows. */
  readonly restMs: number;
  close(): Promise<void>;
}

/** The requests of one burst. */
interface Prepared {
  /** Prepare the stores; not measured. */
  readonly before: readonly Shot[];
  /** Sent right before the burst; not measured. */
  readonly warmUp: readonly Shot[];
  readonly shots: readonly Shot[];
}

/** Creates a burst of that many requests. */
export type Prepare = (requests: number) => Promise<Prepared> | Prepared;

/** The users of the requests: many, one, or users whose guards have been evicted. */
export type Whose = "many" | "one" | "cold";
