/**
 * One run of a stream's follower: it sends batch after batch in the order of the log, one at a time, and moves the
 * cursor after each that was accepted.
 */

import { recordBatch } from "./advance.ts";
import { isDelivered } from "./request/attempt.ts";
import { anchorOf, mayGoOn, type Run, readNext, readState } from "./run.ts";
import { sendBatch } from "./streams/send-batch.ts";
import type { OpenStream } from "./streams/stream.ts";

/** Sends the next batch. @returns whether there may be more */
async function sendNext(run: Run, stream: OpenStream): Promise<boolean> {
  if (Date.now() < readState(run).retryAt) return false;
  const events = await readNext(run);
  if (events.length === 0) return false;
  run.sendsLeft -= 1;
  const { attempt, count } = await sendBatch(stream, events, { isTest: run.isTest });
  const batch = events.slice(0, count).map(anchorOf);
  const [first] = batch;
  const { storage } = run;
  storage.transact(() => {
    const state = recordBatch(readState(run), batch, attempt, run.random());
    storage.writeState(state);
    if (first === undefined) return;
    const { leafIndex, id: eventId } = first;
    const nextAt = isDelivered(attempt) ? null : state.retryAt;
    storage.addAttempt({ ...attempt, leafIndex, eventId, events: batch.length, nextAt });
  });
  return isDelivered(attempt);
}

/** Sends what the log has, until nothing is left or the run must end. @throws StoreError */
export async function runStream(run: Run, stream: OpenStream): Promise<void> {
  while (mayGoOn(run) && (await sendNext(run, stream))) {
    // The next batch.
  }
}
