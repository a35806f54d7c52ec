/**
 * One run of a webhook's follower: it sends what is due for a retry, and then the events at the cursor, several at a
 * time. Each outcome is stored as soon as it is known, so an eviction repeats only what was under way.
 */
import { mapConcurrently } from "../concurrent.ts";
import { maxWaiting, recordDelivery, settle, type Waiting } from "./advance.ts";
import type { Anchor } from "./anchors.ts";
import type { LogEvent } from "./request/log-event.ts";
import { anchorOf, maxSendsPerRun, mayGoOn, type Run, readNext, readState } from "./run.ts";
import { type OpenWebhook, sendWebhook } from "./webhooks/send-webhook.ts";
import { isWanted } from "./webhooks/webhook.ts";

/** The platform lets a run wait for six answers at a time, and D1 needs one. */
const maxConcurrentSends = 5;

/**
 * Sends an event, and stores the outcome, unless the run must end, or the event must be read again.
 * @param page what `settle` needs; none for a retry
 */
async function deliver(
  run: Run,
  webhook: OpenWebhook,
  { leafIndex, event }: LogEvent,
  attempts: number,
  page: readonly Anchor[],
): Promise<void> {
  if (!mayGoOn(run) || !run.log.isFresh()) return;
  run.sendsLeft -= 1;
  const { id, action: type, at: timestamp } = event;
  const attempt = await sendWebhook(webhook, { id, type, timestamp, data: event }, run.isTest);
  const { storage } = run;
  storage.transact(() => {
    const delivery = { leafIndex, id, attempts };
    const { state, waiting } = recordDelivery(readState(run), delivery, attempt, run.random());
    storage.writeState(settle(state, page, page.length === 0 ? [] : [leafIndex]));
    if (waiting !== undefined) storage.putWaiting(waiting);
    else if (attempts > 0 || page.length === 0) storage.removeWaiting(leafIndex);
    const nextAt = waiting?.dueAt ?? null;
    storage.addAttempt({ ...attempt, leafIndex, eventId: id, events: 1, nextAt });
  });
}

/**
 * Sends a window of the deliveries that are due: those whose events are on one page of the log. A delivery whose
 * event is no longer in the log is given up.
 * @returns the deliveries after the window
 */
async function retryWindow(
  run: Run,
  webhook: OpenWebhook,
  due: readonly Waiting[],
): Promise<readonly Waiting[]> {
  const [first] = due;
  if (first === undefined) return [];
  const page = await run.log.read({ from: first.leafIndex });
  const events = new Map(page.map((one) => [one.leafIndex, one]));
  const end = Math.max(first.leafIndex, page.at(-1)?.leafIndex ?? 0);
  const inWindow = due.filter(({ leafIndex }) => leafIndex <= end);
  await mapConcurrently(inWindow, maxConcurrentSends, async ({ leafIndex, id, attempts }) => {
    const found = events.get(leafIndex);
    if (found?.event.id === id) await deliver(run, webhook, found, attempts, []);
    else run.storage.removeWaiting(leafIndex);
  });
  return due.slice(inWindow.length);
}

/** Sends the events at the cursor that the webhook wants. @returns whether there may be more */
async function sendNext(run: Run, webhook: OpenWebhook): Promise<boolean> {
  const { storage } = run;
  const room = maxWaiting - storage.countWaiting();
  if (room <= 0) return false;
  const events = await readNext(run);
  if (events.length === 0) return false;
  const { settled } = readState(run);
  const open = events.filter(({ leafIndex }) => !settled.includes(leafIndex));
  const wanted = open.filter(({ event }) => isWanted(webhook.configuration.events, event.action));
  const sent = wanted.slice(0, Math.min(room, run.sendsLeft));
  const firstLeft = wanted[sent.length]?.leafIndex ?? Number.POSITIVE_INFINITY;
  const unwanted = open.filter((one) => !wanted.includes(one) && one.leafIndex < firstLeft);
  const page = events.map(anchorOf);
  storage.writeState(
    settle(
      readState(run),
      page,
      unwanted.map(({ leafIndex }) => leafIndex),
    ),
  );
  await mapConcurrently(sent, maxConcurrentSends, (one) => deliver(run, webhook, one, 0, page));
  return true;
}

/** Sends what is due, until nothing is or the run must end. @throws StoreError */
export async function runWebhook(run: Run, webhook: OpenWebhook): Promise<void> {
  let due: readonly Waiting[] = run.storage.listDue(Date.now(), maxSendsPerRun);
  while (due.length > 0 && mayGoOn(run)) due = await retryWindow(run, webhook, due);
  while (mayGoOn(run) && (await sendNext(run, webhook))) {
    // The next page.
  }
}
