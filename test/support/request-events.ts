/** What the trail tells of one request, read over HTTP once nothing waits any more. */
import { vi } from "vitest";
import { send, type User } from "./client.ts";
import { fireAlarm } from "./guard.ts";
import { nameIn } from "./jurisdictions.ts";
import { fireLogAlarm } from "./refusal-log.ts";

interface ShownEvent {
  readonly action: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string;
}

/** Whose trail is read, and whose guard may hold what is not in it yet. */
interface TrailOwner {
  readonly tenant: {
    readonly id: string;
    readonly token: string;
    readonly jurisdiction?: "eu" | undefined;
  };
  readonly user?: User;
}

/** Longer than an event at rest takes to D1. */
const maxDeliveryMs = 400;

/** Action, outcome and reason of each event of the request, in the order of the log. */
export async function readRequestEvents(
  { tenant, user }: TrailOwner,
  requestId: string | null,
): Promise<string[]> {
  const { id, jurisdiction } = tenant;
  await fireLogAlarm(jurisdiction === undefined ? id : nameIn(jurisdiction, id));
  if (user !== undefined) await fireAlarm(user);
  const { body } = await send("GET", "/v1/audit/events?limit=100", { token: tenant.token });
  const events: readonly ShownEvent[] = body.events;
  return events
    .filter((event) => event.request_id === requestId)
    .map(({ action, outcome, reason }) => [action, outcome, reason ?? ""].join(" ").trim())
    .toReversed();
}

/** Waits for these events of the request, and sees that there are no others. */
export async function expectRequestEvents(
  whose: TrailOwner,
  requestId: string | null,
  expected: readonly string[],
): Promise<void> {
  if (expected.length === 0) await scheduler.wait(maxDeliveryMs);
  await vi.waitFor(
    async () => {
      const told = await readRequestEvents(whose, requestId);
      if (told.join("; ") !== expected.join("; ")) {
        throw new Error(`Told: ${told.join("; ") || "nothing"}; expected: ${expected.join("; ")}`);
      }
    },
    { timeout: 5_000, interval: 100 },
  );
}
