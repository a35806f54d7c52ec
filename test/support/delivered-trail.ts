/** The trail and the tables once nothing is under way any more. */
import { vi } from "vitest";
import { send, type User } from "./client.ts";
import { countOutboxRows, fireAlarm, inspectGuard } from "./guard.ts";
import { fireLogAlarm } from "./refusal-log.ts";

const waitOptions = { timeout: 20_000, interval: 50 };

/** Waits until the identity's guard holds nothing back that D1 should have. */
export async function drainOutbox(user: User): Promise<void> {
  await vi.waitFor(async () => {
    await fireAlarm(user);
    const { tables, alarm } = await inspectGuard(user);
    const waiting = tables.includes("outbox") ? await countOutboxRows(user) : 0;
    if (waiting > 0) throw new Error(`${waiting} dispatches wait; the alarm: ${alarm}`);
  }, waitOptions);
}

interface ShownEvent {
  readonly action: string;
  readonly outcome: string;
  readonly reason: string | null;
}

/** Action, outcome and reason of every event of the trail, the oldest first. */
export async function readTrail(tenant: {
  readonly id: string;
  readonly token: string;
}): Promise<string[]> {
  await fireLogAlarm(tenant.id);
  const { status, body } = await send("GET", "/v1/audit/events?limit=100", { token: tenant.token });
  if (status !== 200 || body.has_more) throw new Error(`No whole trail: ${status}`);
  const events: readonly ShownEvent[] = body.events;
  return events
    .map(({ action, outcome, reason }) => [action, outcome, reason ?? ""].join(" ").trim())
    .toReversed();
}
