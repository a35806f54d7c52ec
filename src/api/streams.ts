/** `/v1/audit/streams`: receivers of the whole audit trail. */
import { z } from "zod";
import { controlDbOf } from "../db/shards.ts";
import {
  changeDestination,
  createDestination,
  getDestination,
  removeDestination,
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
import { splitTarget } from "../destinations/streams/stream.ts";
import { changeTarget, createTarget } from "../destinations/streams/target-fields.ts";
import { testStream } from "../destinations/test-stream.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { sealCredentials } from "../tenancy/destination-credentials.ts";
import { replayBody, showAttempt, testResult } from "./destination-schemas.ts";
import {
  newStreamBody,
  showStream,
  showStreamAttempt,
  streamAttempt,
  streamPatchBody,
  streamSchema,
} from "./stream-schemas.ts";
import { openTarget, reportOf, requireAllowed } from "./stream-target.ts";

const tag = "Streams";
const access = requirePermission("settings:write");
const kind = "stream";

/** Shows a stream with its present statistics. */
function showIn(call: DescribeCall) {
  return async (stream: StoredDestination) => showStream(await describeDestination(call, stream));
}

const streamResult = (description: string) => ({
  description,
  body: z.object({ stream: streamSchema }),
});

export const streamRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/audit/streams",
      name: "createStream",
      summary: "Create a stream of the audit trail",
      description:
        "Creates a stream, which sends every event of the audit trail in order, in batches, without a gap. Which fields it needs depends on its `type`. A tenant has at most five.",
      tag,
      access,
      body: newStreamBody,
      query: none,
      responses: { 201: streamResult("The stream, without its credentials.") },
      errors: ["too_many"],
    },
    async (request) => {
      const { type, from, ...fields } = request.body.stream;
      const created = createTarget(type, { format: "native", ...fields });
      const target = requireAllowed(created, request.caller.mode);
      const wanted = { ...splitTarget(target), from, details: reportOf(target) };
      const stream = await createDestination(request, kind, wanted, showIn(request));
      return respond(201, { stream });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/streams",
      name: "listStreams",
      summary: "List the tenant's streams",
      description: "Lists all streams with their statistics, oldest first.",
      tag,
      access,
      body: none,
      query: none,
      responses: {
        200: {
          description: "All streams of the tenant.",
          body: z.object({ streams: z.array(streamSchema) }),
        },
      },
    },
    async (request) => {
      const db = controlDbOf(request.env);
      const streams = await listDestinations(db, request.caller.tenantId, kind);
      const described = await describeDestinations(request, streams);
      return respond(200, { streams: described.map(showStream) });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/streams/:id",
      name: "getStream",
      summary: "Get a stream",
      description: "Returns a stream with its statistics.",
      tag,
      access,
      body: none,
      query: none,
      responses: { 200: streamResult("The stream.") },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, caller } = request;
      const found = await getDestination(env, caller.tenantId, kind, request.param("id"));
      return respond(200, { stream: await showIn(request)(found) });
    },
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/audit/streams/:id",
      name: "changeStream",
      summary: "Change a stream",
      description:
        "Changes the fields that the body names, and tries a batch that has failed again at once. Another `url` or `endpoint` needs the credentials too. A disabled stream keeps its place in the log, and continues there.",
      tag,
      access,
      body: streamPatchBody,
      query: none,
      responses: { 200: streamResult("The changed stream.") },
      errors: ["not_found"],
    },
    async (request) => {
      const { config, caller, body } = request;
      const { status, ...changes } = body.stream;
      const stream = await changeDestination(request, kind, request.param("id"), async (read) => {
        const changed = changeTarget(await openTarget(config, read), changes);
        const target = requireAllowed(changed, caller.mode);
        const { configuration, credentials } = splitTarget(target);
        const newStatus = status === undefined ? {} : { status };
        const names = Object.keys(body.stream).toSorted().join(" ");
        const details = { ...reportOf(target), ...newStatus, changed: names };
        return {
          change: {
            configuration,
            credentials: await sealCredentials(config.sealingKeys, read, credentials),
            ...newStatus,
          },
          report: { action: "stream.changed", details },
          answerWith: showIn(request),
        };
      });
      return respond(200, { stream });
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/audit/streams/:id",
      name: "removeStream",
      summary: "Delete a stream",
      description: "Deletes a stream. Nothing is sent to it any more.",
      tag,
      access,
      body: none,
      query: none,
      responses: { 204: { description: "The stream is deleted." } },
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
      path: "/v1/audit/streams/:id/test",
      name: "testStream",
      summary: "Test a stream",
      description:
        "Sends the newest event of the trail once more, also if the stream is disabled, and returns what came of it. It moves nothing, and is not tried again.",
      tag,
      access,
      body: none,
      query: none,
      changesNothing: true,
      responses: { 200: { description: "What came of it.", body: testResult } },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, config, caller } = request;
      const { tenantId, mode } = caller;
      const found = await getDestination(env, tenantId, kind, request.param("id"));
      const target = await openTarget(config, found);
      const attempt = await testStream(request, { tenantId, target }, mode === "test");
      return respond(200, { attempt: showAttempt(attempt) });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/audit/streams/:id/replay",
      name: "replayStream",
      summary: "Send events again, from a leaf index on",
      description:
        "Sets the cursor to a leaf index. All events from there on are sent, with the same ids as before; an erased user's are sent as they are now.",
      tag,
      access,
      body: replayBody,
      query: none,
      responses: { 200: streamResult("The stream, with its new cursor.") },
      errors: ["not_found"],
    },
    async (request) => {
      const id = request.param("id");
      const stream = await replayFrom(request, kind, id, request.body.from, showIn(request));
      return respond(200, { stream });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/streams/:id/attempts",
      name: "listStreamAttempts",
      summary: "List the last attempts of a stream",
      description: "Lists the last hundred attempts to send a batch, newest first.",
      tag,
      access,
      body: none,
      query: none,
      responses: {
        200: {
          description: "The attempts.",
          body: z.object({ attempts: z.array(streamAttempt) }),
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, caller } = request;
      const found = await getDestination(env, caller.tenantId, kind, request.param("id"));
      const attempts = await listAttempts(request, found);
      return respond(200, { attempts: attempts.map(showStreamAttempt) });
    },
  ),
];
