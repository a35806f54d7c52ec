/** `/v1/settings`: the tenant's settings. */
import { z } from "zod";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { id } from "../http/schemas.ts";
import { changeSettings, getSettings } from "../tenancy/change-settings.ts";
import { addEarlierName, replaceEarlierName } from "../tenancy/retention-settings.ts";
import { settingsPatchSchema, settingsSchema } from "../tenancy/settings.ts";

const settingsResponse = {
  description: "All settings of the tenant.",
  body: z.object({ tenant_id: id, settings: settingsSchema }),
};

export const settingsRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/settings",
      name: "getSettings",
      summary: "Get the tenant's settings",
      description: "Returns the tenant's settings, with the defaults of what was not set.",
      tag: "Tenancy",
      access: requirePermission("settings:read"),
      body: none,
      query: none,
      responses: { 200: settingsResponse },
    },
    async ({ env, caller: { tenantId } }) =>
      respond(200, {
        tenant_id: tenantId,
        settings: addEarlierName(await getSettings(env, tenantId)),
      }),
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/settings",
      name: "changeSettings",
      summary: "Change some of the tenant's settings, everywhere within 30 s",
      description:
        "Changes the settings that the body names, and leaves the others as they are (RFC 7396).",
      tag: "Tenancy",
      access: requirePermission("settings:write"),
      body: z.strictObject({ settings: settingsPatchSchema }),
      query: none,
      responses: { 200: settingsResponse },
    },
    async (request) => {
      const patch = replaceEarlierName(request.body.settings, "settings");
      const settings = await changeSettings(request, patch);
      return respond(200, {
        tenant_id: request.caller.tenantId,
        settings: addEarlierName(settings),
      });
    },
  ),
];
