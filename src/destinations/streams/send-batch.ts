/** Sends a batch of a stream. */
import type { Attempt } from "../request/attempt.ts";
import { failBeforeSending, post } from "../request/post.ts";
import type { Entry } from "./batch.ts";
import { truncateEvent } from "./format-event.ts";
import type { BatchWriter } from "./writer.ts";

/** The receiver says that the request is too large (RFC 9110 §15.5.14). */
const tooLargeStatus = 413;

/** The last attempt, how many events it covered, and how many requests were sent. */
export interface BatchAttempt {
  readonly attempt: Attempt;
  /** The first ones of the batch. */
  readonly count: number;
  readonly requests: number;
}

async function sendEntries(
  writer: BatchWriter,
  entries: readonly Entry[],
  isTest: boolean,
): Promise<Attempt> {
  const [first, last] = [entries[0]?.leafIndex ?? 0, entries.at(-1)?.leafIndex ?? 0];
  const texts = entries.map(({ text }) => text);
  try {
    const request = await writer.createRequest(texts, { first, last });
    return await post(request, isTest);
  } catch {
    // What the error says may contain a credential.
    return failBeforeSending("configuration");
  }
}

/**
 * Sends the batch. A receiver to which it is too large gets the first half, and so on down to one event, and at last
 * that event without its details. Never throws.
 * @param entries at least one
 * @param isTest whether the tenant is in test mode, so that it may send to this machine
 */
export async function sendBatch(
  writer: BatchWriter,
  entries: readonly Entry[],
  isTest: boolean,
): Promise<BatchAttempt> {
  let part = entries;
  for (let requests = 1; ; requests += 1) {
    const attempt = await sendEntries(writer, part, isTest);
    const [first] = part;
    const isLast = first === undefined || first.event.details.truncated === true;
    if (attempt.status !== tooLargeStatus || isLast) {
      return { attempt, count: part.length, requests };
    }
    part = part.length > 1 ? part.slice(0, Math.ceil(part.length / 2)) : [truncate(writer, first)];
  }
}

function truncate(writer: BatchWriter, { leafIndex, event }: Entry): Entry {
  const truncated = truncateEvent(event);
  return { leafIndex, event: truncated, text: writer.writeEvent(truncated) };
}
