/** The events of one request, read over HTTP after the outboxes are delivered. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { send, type User, waitForRequest } from "./client.ts";
import { fireAlarm } from "./guard.ts";
import { nameIn } from "./jurisdictions.ts";
import { fireLogAlarm } from "./refusal-log.ts";

interface ShownEvent {
  readonly action: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string;
}

/** The tenant of the trail, and a user whose guard may have undelivered events. */
interface TrailOwner {
  readonly tenant: {
    readonly id: string;
    readonly token: string;
    readonly jurisdiction?: "eu" | undefined;
  };
  readonly user?: User;
}

/** Action, outcome and reason of each event of the request, in log order. */
export async function readRequestEvents(
  { tenant, user }: TrailOwner,
  requestId: string | null,
): Promise<string[]> {
  const { id, jurisdiction } = tenant;
  await fireLogAlarm(jurisdiction === undefined ? id : nameIn(jurisdiction, id));
  if (user !== undefined) await fireAlarm(user);
  const { status, body } = await send("GET", "/v1/audit/events?limit=100", { token: tenant.token });
  const events = status === 200 ? body.events.toReversed() : await readFiledEvents(id);
  return events
    .filter((event: ShownEvent) => event.request_id === requestId)
    .map(({ action, outcome, reason }: ShownEvent) =>
      [action, outcome, reason ?? ""].join(" ").trim(),
    );
}

/** The events of a tenant in `DB` whose tokens are not accepted any more, in log order. */
async function readFiledEvents(tenantId: string): Promise<ShownEvent[]> {
  const statement = env.DB.prepare(
    "SELECT action, outcome, reason, request_id FROM audit_events WHERE tenant_id = ? ORDER BY leaf_index",
  );
  return (await statement.bind(tenantId).all<ShownEvent>()).results;
}

/** Waits until the HTTP request, one of the latest, has ended and has exactly these events. */
export async function expectRequestEvents(
  owner: TrailOwner,
  requestId: string | null,
  expected: readonly string[],
): Promise<void> {
  // Afterwards every event of the request is in an outbox or in D1, so that a superfluous one is found as well.
  await waitForRequest(requestId ?? "");
  await expectEvents(owner, requestId, expected);
}

/** Waits until the calls with this request id, all of which have ended, have exactly these events. */
export async function expectEvents(
  owner: TrailOwner,
  requestId: string | null,
  expected: readonly string[],
): Promise<void> {
  await vi.waitFor(
    async () => {
      const events = await readRequestEvents(owner, requestId);
      if (events.join("; ") !== expected.join("; ")) {
        throw new Error(
          `Events: ${events.join("; ") || "nothing"}; expected: ${expected.join("; ")}`,
        );
      }
    },
    { timeout: 20_000, interval: 50 },
  );
}
