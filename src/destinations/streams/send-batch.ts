/** Sends consecutive events to a stream, in one request. */
import type { Attempt } from "../request/attempt.ts";
import type { LogEvent } from "../request/log-event.ts";
import { post } from "../request/post.ts";
import type { OpenStream } from "./stream.ts";

/** An attempt, and how many of the events it covers: the first ones that fit into one request, at least one. */
export interface BatchAttempt {
  readonly attempt: Attempt;
  readonly count: number;
}

export interface SendCall {
  /** Whether the tenant is in test mode, so that it may send to this machine. */
  readonly isTest: boolean;
}

/**
 * Sends the first of these events, at most 500 and 1 MiB. Never throws.
 * @param events in the order of the log, at least one
 */
export async function sendBatch(
  { configuration, credentials }: OpenStream,
  events: readonly LogEvent[],
  { isTest }: SendCall,
): Promise<BatchAttempt> {
  const body = events.map(({ event }) => `${JSON.stringify(event)}\n`).join("");
  const headers = { ...credentials.headers, "content-type": "application/x-ndjson" };
  const { attempt } = await post({ url: configuration.url, headers, body }, isTest);
  return { attempt, count: events.length };
}
