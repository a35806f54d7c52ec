/**
 * One run of a stream's follower: it sends batch after batch in the order of the log, one at a time, and moves the
 * cursor after each that was accepted.
 */

import { recordBatch } from "./advance.ts";
import { isDelivered } from "./request/attempt.ts";
import { anchorOf, mayGoOn, type Run, readNext, readState } from "./run.ts";
import { createWriter, takeBatch } from "./streams/batch.ts";
import { sendBatch } from "./streams/send-batch.ts";
import type { OpenStream } from "./streams/stream.ts";

/** Sends the next batch. @returns whether there may be more */
async function sendNext(run: Run, stream: OpenStream): Promise<boolean> {
  if (Date.now() < readState(run).retryAt) return false;
  const writer = createWriter(stream);
  const entries = takeBatch(writer, await readNext(run));
  const last = entries.at(-1);
  if (last === undefined) return false;
  const { storage } = run;
  storage.writeState({ ...readState(run), sendingBelow: last.leafIndex + 1 });
  const { attempt, count, requests } = await sendBatch(writer, entries, run.isTest);
  run.sendsLeft -= requests;
  const batch = entries.slice(0, count).map(anchorOf);
  const [first] = batch;
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
