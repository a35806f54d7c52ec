/** `/v1/webhooks`: receivers of the events of the audit trail. */
import { z } from "zod";
import { createId } from "../crypto/id.ts";
import { controlDbOf } from "../db/shards.ts";
import {
  changeDestination,
  createDestination,
  getDestination,
  removeDestination,
  replayEvent,
  replayFrom,
} from "../destinations/change-destination.ts";
import {
  type DescribeCall,
  describeDestination,
  describeDestinations,
  listAttempts,
} from "../destinations/describe.ts";
import type { StoredDestination } from "../destinations/destination.ts";
import { listDestinations } from "../destinations/store.ts";
import { addSecret, createSecret } from "../destinations/webhooks/secret.ts";
import { sendWebhook } from "../destinations/webhooks/send-webhook.ts";
import { webhookConfiguration, webhookCredentials } from "../destinations/webhooks/webhook.ts";
import type { Config } from "../env.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { toRfc3339 } from "../http/schemas.ts";
import { openCredentials, sealCredentials } from "../tenancy/destination-credentials.ts";
import {
  listedAttempt,
  replayBody,
  requireTarget,
  showAttempt,
  showListedAttempt,
  testResult,
} from "./destination-schemas.ts";
import {
  issuedWebhook,
  newWebhookBody,
  rotationBody,
  showWebhook,
  webhookPatchBody,
  webhookSchema,
} from "./webhook-schemas.ts";

const tag = "Webhooks";
const access = requirePermission("settings:write");
const kind = "webhook";
const testType = "webhook.test";

function openWebhook({ sealingKeys }: Config, destination: StoredDestination) {
  return openCredentials(sealingKeys, destination, destination.credentials, webhookCredentials);
}

function readConfiguration({ configuration }: StoredDestination) {
  return webhookConfiguration.parse(JSON.parse(configuration));
}

/** What an event says of a webhook. An address may contain a secret, its host does not. */
function reportOf({ url, events }: { readonly url: string; readonly events: readonly string[] }) {
  return { host: new URL(url).host, events: events.join(" ") };
}

/** Shows a webhook with its present statistics. */
function showIn(call: DescribeCall) {
  return async (webhook: StoredDestination) =>
    showWebhook(await describeDestination(call, webhook));
}

const webhookResult = (description: string) => ({
  description,
  body: z.object({ webhook: webhookSchema }),
});
const issuedResult = (description: string) => ({
  description,
  body: z.object({ webhook: issuedWebhook }),
});

export const webhookRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/webhooks",
      name: "createWebhook",
      summary: "Create a webhook",
      description:
        "Creates a webhook, which receives the events that are filed from now on. The answer shows the secret that signs its messages, once. A tenant has at most ten.",
      tag,
      access,
      body: newWebhookBody,
      query: none,
      responses: { 201: issuedResult("The webhook, with its secret.") },
      errors: ["too_many"],
    },
    async (request) => {
      const { url, events, description = null } = request.body.webhook;
      requireTarget(url, request.caller.mode, "webhook.url");
      const configuration = { url, events, description };
      const secret = createSecret();
      const wanted = {
        configuration,
        credentials: { secrets: [{ secret, endsAt: null }] },
        details: reportOf(configuration),
      };
      const webhook = await createDestination(request, kind, wanted, async (created) => ({
        ...(await showIn(request)(created)),
        secret,
      }));
      return respond(201, { webhook });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/webhooks",
      name: "listWebhooks",
      summary: "List the tenant's webhooks",
      description: "Lists all webhooks with their statistics, oldest first.",
      tag,
      access,
      body: none,
      query: none,
      responses: {
        200: {
          description: "All webhooks of the tenant.",
          body: z.object({ webhooks: z.array(webhookSchema) }),
        },
      },
    },
    async (request) => {
      const db = controlDbOf(request.env);
      const webhooks = await listDestinations(db, request.caller.tenantId, kind);
      const described = await describeDestinations(request, webhooks);
      return respond(200, { webhooks: described.map(showWebhook) });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/webhooks/:id",
      name: "getWebhook",
      summary: "Get a webhook",
      description: "Returns a webhook with its statistics.",
      tag,
      access,
      body: none,
      query: none,
      responses: { 200: webhookResult("The webhook.") },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, caller } = request;
      const found = await getDestination(env, caller.tenantId, kind, request.param("id"));
      return respond(200, { webhook: await showIn(request)(found) });
    },
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/webhooks/:id",
      name: "changeWebhook",
      summary: "Change a webhook",
      description:
        "Changes the fields that the body names. A disabled webhook keeps its place in the log: once it is enabled, it receives what has been filed since.",
      tag,
      access,
      body: webhookPatchBody,
      query: none,
      responses: { 200: webhookResult("The changed webhook.") },
      errors: ["not_found"],
    },
    async (request) => {
      const { status, url, events, description } = request.body.webhook;
      if (url !== undefined) requireTarget(url, request.caller.mode, "webhook.url");
      const id = request.param("id");
      const webhook = await changeDestination(request, kind, id, async (read) => {
        const before = readConfiguration(read);
        const configuration = {
          url: url ?? before.url,
          events: events ?? before.events,
          description: description === undefined ? before.description : description,
        };
        const change = { configuration, ...(status === undefined ? {} : { status }) };
        const details = {
          ...reportOf(configuration),
          ...(status === undefined ? {} : { status }),
        };
        return {
          change,
          report: { action: "webhook.changed", details },
          answerWith: showIn(request),
        };
      });
      return respond(200, { webhook });
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/webhooks/:id",
      name: "removeWebhook",
      summary: "Delete a webhook",
      description: "Deletes a webhook. Nothing is sent to it any more.",
      tag,
      access,
      body: none,
      query: none,
      responses: { 204: { description: "The webhook is deleted." } },
      errors: ["not_found"],
    },
    async (request) => {
      await removeDestination(request, kind, request.param("id"));
      return respond(204, null);
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/webhooks/:id/test",
      name: "testWebhook",
      summary: "Send a test message to a webhook",
      description:
        "Sends a signed message of the type `webhook.test` now, also to a disabled webhook, and returns what came of it. It is no event, and is not tried again.",
      tag,
      access,
      body: none,
      query: none,
      changesNothing: true,
      responses: { 200: { description: "What came of the message.", body: testResult } },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, config, caller, arrivedAt } = request;
      const found = await getDestination(env, caller.tenantId, kind, request.param("id"));
      const webhook = {
        configuration: readConfiguration(found),
        credentials: await openWebhook(config, found),
      };
      const message = {
        id: createId(arrivedAt),
        type: testType,
        timestamp: toRfc3339(arrivedAt),
        data: { webhook_id: found.id },
      };
      const attempt = await sendWebhook(webhook, message, caller.mode === "test");
      return respond(200, { attempt: showAttempt(attempt) });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/webhooks/:id/rotate",
      name: "rotateWebhookSecret",
      summary: "Replace the secret of a webhook; both sign during the overlap",
      description:
        "Creates a new secret, which the answer shows once. Until the overlap ends, every message has a signature of each of the two.",
      tag,
      access,
      body: rotationBody,
      query: none,
      responses: { 200: issuedResult("The webhook, with its new secret.") },
      errors: ["not_found"],
    },
    async (request) => {
      const { config, arrivedAt, body } = request;
      const { overlap_seconds: overlapSeconds } = body;
      const id = request.param("id");
      const webhook = await changeDestination(request, kind, id, async (read) => {
        const secret = createSecret();
        const endsAt = arrivedAt + overlapSeconds * 1000;
        const rotated = addSecret(await openWebhook(config, read), secret, endsAt);
        const details = { overlap_seconds: overlapSeconds };
        return {
          change: { credentials: await sealCredentials(config.sealingKeys, read, rotated) },
          report: { action: "webhook.rotated", details },
          answerWith: async (changed) => ({ ...(await showIn(request)(changed)), secret }),
        };
      });
      return respond(200, { webhook });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/webhooks/:id/replay",
      name: "replayWebhook",
      summary: "Send events again, from a leaf index on",
      description:
        "Sets the cursor to a leaf index. All wanted events from there on are sent, with the same ids as before; an erased user's are sent as they are now.",
      tag,
      access,
      body: replayBody,
      query: none,
      responses: { 200: webhookResult("The webhook, with its new cursor.") },
      errors: ["not_found"],
    },
    async (request) => {
      const { from } = request.body;
      const id = request.param("id");
      const webhook = await replayFrom(request, kind, id, from, showIn(request));
      return respond(200, { webhook });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/webhooks/:id/attempts",
      name: "listWebhookAttempts",
      summary: "List the last attempts of a webhook",
      description: "Lists the last hundred attempts to deliver an event, newest first.",
      tag,
      access,
      body: none,
      query: none,
      responses: {
        200: {
          description: "The attempts.",
          body: z.object({ attempts: z.array(listedAttempt) }),
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, caller } = request;
      const found = await getDestination(env, caller.tenantId, kind, request.param("id"));
      const attempts = await listAttempts(request, found);
      return respond(200, { attempts: attempts.map(showListedAttempt) });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/webhooks/:id/attempts/:eventId/replay",
      name: "replayWebhookEvent",
      summary: "Send one event again",
      description:
        "Sends an event again that is among the last hundred attempts, with the same id, and with retries as if it was new.",
      tag,
      access,
      body: none,
      query: none,
      responses: { 204: { description: "The event will be sent in a moment." } },
      errors: ["not_found", "too_many"],
    },
    async (request) => {
      await replayEvent(request, kind, request.param("id"), request.param("eventId"));
      return respond(204, null);
    },
  ),
];
