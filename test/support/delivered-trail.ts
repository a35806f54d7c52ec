/** Waits for deliveries, and reads the delivered trail. */
import { vi } from "vitest";
import { send, type User } from "./client.ts";
import { countOutboxRows, fireAlarm, inspectGuard } from "./guard.ts";
import { fireLogAlarm } from "./refusal-log.ts";

const waitOptions = { timeout: 20_000, interval: 50 };

/** Waits until the outbox of the identity's guard is empty. */
export async function drainOutbox(user: User): Promise<void> {
  await vi.waitFor(async () => {
    await fireAlarm(user);
    const { tables, alarm } = await inspectGuard(user);
    const waiting = tables.includes("outbox") ? await countOutboxRows(user) : 0;
    if (waiting > 0) throw new Error(`${waiting} outbox rows remain; the alarm: ${alarm}`);
  }, waitOptions);
}

interface ShownEvent {
  readonly action: string;
  readonly outcome: string;
  readonly reason: string | null;
}

/** Action, outcome and reason of every event of the trail, oldest first. */
export async function readTrail(tenant: {
  readonly id: string;
  readonly token: string;
}): Promise<string[]> {
  await fireLogAlarm(tenant.id);
  const { status, body } = await send("GET", "/v1/audit/events?limit=100", { token: tenant.token });
  if (status !== 200 || body.has_more)
    throw new Error(`The trail could not be read completely: ${status}`);
  const events: readonly ShownEvent[] = body.events;
  return events
    .map(({ action, outcome, reason }) => [action, outcome, reason ?? ""].join(" ").trim())
    .toReversed();
}
