/** `/v1/settings`: the tenant's settings. */
import { z } from "zod";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { changeSettings, getSettings } from "../tenancy/change-settings.ts";
import { settingsPatchSchema, settingsSchema } from "../tenancy/settings.ts";

export const settingsRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/settings",
      name: "getSettings",
      summary: "Get the tenant's settings",
      tag: "Tenancy",
      access: requirePermission("settings:write"),
      body: none,
      query: none,
      responses: {
        200: { description: "All settings.", body: z.object({ settings: settingsSchema }) },
      },
    },
    async ({ env, caller }) => respond(200, { settings: await getSettings(env, caller.tenantId) }),
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/settings",
      name: "changeSettings",
      summary: "Change some of the tenant's settings, everywhere within 30 s",
      tag: "Tenancy",
      access: requirePermission("settings:write"),
      body: z.strictObject({ settings: settingsPatchSchema }),
      query: none,
      responses: {
        200: { description: "All settings.", body: z.object({ settings: settingsSchema }) },
      },
    },
    async (request) =>
      respond(200, { settings: await changeSettings(request, request.body.settings) }),
  ),
];
