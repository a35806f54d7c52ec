/** Waits for deliveries, and reads the delivered trail. */
import { vi } from "vitest";
import { send, type User } from "./client.ts";
import { countUndelivered, fireAlarm, readAlarm } from "./guard.ts";
import { fireLogAlarm } from "./refusal-log.ts";

const waitOptions = { timeout: 20_000, interval: 50 };

/** Waits until D1 has everything of the identity's guard. */
export async function drainOutbox(user: User): Promise<void> {
  await vi.waitFor(async () => {
    await fireAlarm(user);
    const waiting = await countUndelivered(user);
    if (waiting > 0) {
      throw new Error(`${waiting} changes are not delivered; the alarm: ${await readAlarm(user)}`);
    }
  }, waitOptions);
}

interface ShownEvent {
  readonly action: string;
  readonly outcome: string;
  readonly reason: string | null;
}

/** Action, outcome and reason of every event of the trail, oldest first, without those about such reads. */
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
    .filter(({ action }) => action !== "audit.read")
    .map(({ action, outcome, reason }) => [action, outcome, reason ?? ""].join(" ").trim())
    .toReversed();
}
