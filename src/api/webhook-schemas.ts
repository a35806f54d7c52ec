/** Webhooks in the JSON of the API. */
import { z } from "zod";
import { auditActions } from "../audit/event.ts";
import type { DescribedDestination } from "../destinations/describe.ts";
import { webhookConfiguration } from "../destinations/webhooks/webhook.ts";
import { createTextSchema } from "../text-schema.ts";
import { destinationFields, newStatus, showDestination, targetUrl } from "./destination-schemas.ts";

const groups = [...new Set(auditActions.map((action) => `${action.split(".")[0]}.*`))];
const maxFilters = 100;
const maxOverlapSeconds = 30 * 24 * 60 * 60;

const eventFilter = z.array(z.enum(["*", ...groups, ...auditActions]));
const filterExamples = [["user.locked", "otp.*"]];

const wantedFields = {
  url: targetUrl,
  events: eventFilter.min(1).max(maxFilters).meta({
    description:
      "The types of events that are sent: actions of the audit trail, `otp.*` for all that begin with `otp.`, and `*` for all.",
    examples: filterExamples,
  }),
  description: createTextSchema(0, 255)
    .nullable()
    .meta({ examples: ["Locks and enrolments"] }),
};

export const newWebhookBody = z.strictObject({
  webhook: z.strictObject({ ...wantedFields, description: wantedFields.description.optional() }),
});

export const webhookPatchBody = z.strictObject({
  webhook: z.strictObject({
    url: wantedFields.url.optional(),
    events: wantedFields.events.optional(),
    description: wantedFields.description.optional(),
    status: newStatus.optional(),
  }),
});

export const rotationBody = z.strictObject({
  overlap_seconds: z
    .int()
    .min(0)
    .max(maxOverlapSeconds)
    .meta({ description: "For how long both secrets sign.", examples: [3600] }),
});

const { id, status, disabled_reason, cursor, behind, delivered, failed, created_at, updated_at } =
  destinationFields;

const webhookFields = {
  id,
  url: z.string().meta({ examples: ["https://hooks.example.com/edge-idp"] }),
  events: z.array(z.string()).meta({ examples: filterExamples }),
  description: z
    .string()
    .nullable()
    .meta({ examples: ["Locks and enrolments"] }),
  status,
  disabled_reason,
  cursor,
  behind,
  waiting: z
    .int()
    .min(0)
    .meta({
      description:
        "Deliveries that failed and wait for a retry. From 1,000 on, the cursor stands still.",
      examples: [2],
    }),
  delivered,
  failed,
  given_up: z
    .int()
    .min(0)
    .meta({
      description:
        "Events that were not delivered after ten attempts in three days; a replay sends them.",
      examples: [0],
    }),
  created_at,
  updated_at,
};

export const webhookSchema = z.object(webhookFields).meta({ id: "Webhook" });

export const issuedWebhook = z
  .object({
    ...webhookFields,
    secret: z.string().meta({
      description: "The secret that signs the messages (Standard Webhooks), which is shown once.",
      examples: ["whsec_…"],
    }),
  })
  .meta({ id: "IssuedWebhook" });

export function showWebhook({
  destination,
  statistics,
}: DescribedDestination): z.input<typeof webhookSchema> {
  const { url, events, description } = webhookConfiguration.parse(
    JSON.parse(destination.configuration),
  );
  const { waiting, givenUp } = statistics;
  return {
    url,
    events,
    description,
    waiting,
    given_up: givenUp,
    ...showDestination(destination, statistics),
  };
}
