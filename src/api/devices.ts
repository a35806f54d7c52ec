/** `/v1/idp/user/devices`: the devices on which a user is known. */
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { askGuard, readGuard } from "../guard/client.ts";
import type { KnownDevice } from "../guard/decisions/device-state.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { instant, toRfc3339, userQuery } from "../http/schemas.ts";
import { deviceId } from "./device-schemas.ts";

const tag = "Known devices";

const knownDevice = z
  .object({
    id: deviceId,
    name: z
      .string()
      .nullable()
      .meta({ examples: ["Chrome on Windows"] }),
    created_at: instant,
    last_used_at: instant.meta({ description: "When a factor was verified on it last." }),
    expires_at: instant.meta({ description: "When it is forgotten." }),
  })
  .meta({ id: "KnownDevice", description: "A device on which the user is known." });

function showKnownDevice({ id, name, createdAt, lastUsedAt, expiresAt }: KnownDevice) {
  return {
    id,
    name,
    created_at: toRfc3339(createdAt),
    last_used_at: toRfc3339(lastUsedAt),
    expires_at: toRfc3339(expiresAt),
  };
}

export const deviceRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/idp/user/devices",
      name: "listDevices",
      summary: "List the devices on which a user is known",
      description:
        "Lists the known devices in the order in which they were remembered. A user has at most 20; a further one takes the place of the oldest.",
      tag,
      access: requirePermission("idp:read"),
      body: none,
      query: userQuery,
      responses: {
        200: {
          description: "All known devices of the user.",
          body: z.object({ devices: z.array(knownDevice) }),
        },
      },
      errors: ["user_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      const devices = await readGuard(request, identityId, (guard, call) =>
        guard.listDevices(call),
      );
      return respond(200, { devices: devices.map(showKnownDevice) });
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/idp/user/devices",
      name: "removeDevices",
      summary: "Forget all devices of a user",
      description: "Removes all known devices of a user. Their tokens are unknown from then on.",
      tag,
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: { 204: { description: "The user has no known devices any more." } },
      errors: ["user_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      await askGuard(request, identityId, (guard, call) => guard.removeAllDevices(call));
      return respond(204, null);
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/idp/user/devices/:id",
      name: "removeDevice",
      summary: "Forget a device",
      description: "Removes a known device of a user. Its token is unknown from then on.",
      tag,
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: { 204: { description: "The device is removed." } },
      errors: ["user_not_found", "device_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      await askGuard(request, identityId, (guard, call) =>
        guard.removeDevice(call, request.param("id")),
      );
      return respond(204, null);
    },
  ),
];
