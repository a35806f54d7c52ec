/** What webhooks and streams have in common in the JSON of the API. */
import { z } from "zod";
import type { DestinationStatistics } from "../destinations/describe.ts";
import type { StoredDestination } from "../destinations/destination.ts";
import type { ListedAttempt } from "../destinations/follower-storage.ts";
import { type Attempt, attemptErrors } from "../destinations/request/attempt.ts";
import { findTargetProblem, maxUrlCharacters } from "../destinations/request/target-url.ts";
import { createInvalidRequest } from "../errors.ts";
import { id, instant, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";

const urlPattern = /^https?:\/\/[^\s\\#]+$/;

/** The address of a receiver, in a request. `requireTarget` checks the rest. */
export const targetUrl = z
  .string()
  .regex(urlPattern, "must be an absolute URL that begins with https://, without a fragment")
  .max(maxUrlCharacters)
  .meta({
    description:
      "Where the events are sent: https, a public host name, port 443 or 8443. Tenants in test mode may send to http and to this machine too.",
    examples: ["https://hooks.example.com/edge-idp"],
  });

/** @throws AppError `invalid_request` if the service does not send to the address */
export function requireTarget(url: string, mode: "live" | "test", path: string): void {
  const message = findTargetProblem(url, mode === "test");
  if (message !== undefined) throw createInvalidRequest([{ path, message }]);
}

/** The status that a tenant can set. */
export const newStatus = z.enum(["enabled", "disabled"]).meta({
  description: "A disabled one keeps its place in the log, and continues there once it is enabled.",
});

/** Fields of an answer that come from the row and the follower. */
export const destinationFields = {
  id,
  status: z.enum(["enabled", "disabled", "failing"]).meta({
    description: "`failing`: enabled, and nothing was delivered since an attempt failed.",
  }),
  disabled_reason: z
    .enum(["gone", "failing"])
    .nullable()
    .meta({
      description:
        "Why the service has disabled it: the receiver answered 410, or nothing was delivered for five days. Null if it did not.",
      examples: [null],
    }),
  cursor: z
    .int()
    .min(0)
    .meta({
      description: "The leaf index of the first event that was not looked at yet.",
      examples: [1204],
    }),
  behind: z
    .object({
      events: z.int().min(0).meta({ description: "Events that were not looked at yet." }),
      seconds: z.int().min(0).meta({ description: "How long the first of them has waited." }),
    })
    .meta({ id: "Lag" }),
  delivered: z
    .int()
    .min(0)
    .meta({ description: "Events that were delivered.", examples: [1198] }),
  failed: z
    .int()
    .min(0)
    .meta({ description: "Attempts that failed.", examples: [3] }),
  created_at: instant,
  updated_at: instant,
};

export function showDestination(
  { id, disabledReason, createdAt, updatedAt }: StoredDestination,
  { status, cursor, behind, delivered, failed }: DestinationStatistics,
) {
  return {
    id,
    status,
    disabled_reason: disabledReason,
    cursor,
    behind: { events: behind.events, seconds: behind.seconds },
    delivered,
    failed,
    created_at: toRfc3339(createdAt),
    updated_at: toRfc3339(updatedAt),
  };
}

export const attemptFields = {
  at: instant,
  status: z
    .int()
    .nullable()
    .meta({ description: "The status of the answer; null if there was none.", examples: [503] }),
  milliseconds: z
    .int()
    .min(0)
    .meta({ description: "How long it took.", examples: [142] }),
  error: z
    .enum(attemptErrors)
    .nullable()
    .meta({
      description:
        "Null for a success. `status`: another status than 2xx. `redirect`: redirects are not followed. `timeout`: no answer within 15 s. `connection`: no complete answer. `target`: an address to which the service does not send. `configuration`: the request could not be built.",
      examples: ["status"],
    }),
};

/** The answer to a test. */
export const testResult = z.object({
  attempt: z.object(attemptFields).meta({ id: "TestAttempt" }),
});

export function showAttempt({ at, status, milliseconds, error }: Attempt) {
  return { at: toRfc3339(at), status, milliseconds, error };
}

export const listedAttempt = z
  .object({
    event_id: id,
    leaf_index: z.int().min(0).meta({ description: "The event's position in the tenant's log." }),
    ...attemptFields,
    next_at: instant.nullable().meta({
      description: "When the next attempt is due; null after a success and after the last one.",
    }),
  })
  .meta({ id: "DeliveryAttempt" });

export function showListedAttempt(attempt: ListedAttempt): z.input<typeof listedAttempt> {
  const { eventId, leafIndex, nextAt } = attempt;
  return {
    event_id: eventId,
    leaf_index: leafIndex,
    ...showAttempt(attempt),
    next_at: toRfc3339OrNull(nextAt),
  };
}

/** The body of a replay. */
export const replayBody = z.strictObject({
  from: z
    .int()
    .min(0)
    .meta({
      description:
        "The leaf index of the first event to send, also if it was sent before. The leaf index of the next event skips all that are there.",
      examples: [1000],
    }),
});
