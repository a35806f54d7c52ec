/** `DELETE /v1/tenants/:id`, for the operator: deletes a tenant, step by step. */
import { z } from "zod";
import { deletionPhases } from "../db/deletion-phase.ts";
import { deleteTenant } from "../deletion/delete-tenant.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { createTextSchema } from "../text-schema.ts";

export const tenantDeletionRoutes = [
  defineRoute(
    {
      method: "delete",
      path: "/v1/tenants/:id",
      name: "deleteTenant",
      summary: "Delete a tenant, or continue its deletion",
      description:
        "Erases every identity and every row of a tenant that has been suspended for 24 hours, and leaves the sealed trail. Repeat the call to see the progress; 204 means that nothing is left.",
      tag: "Tenancy",
      access: operator,
      body: z.strictObject({
        tenant: z.strictObject({
          name: createTextSchema(1, 100).meta({
            description: "The tenant's name, so that no other tenant is deleted by mistake.",
            examples: ["Acme"],
          }),
        }),
      }),
      query: none,
      responses: {
        202: {
          description:
            "The progress. The deletion continues by itself; each repetition of the request shows its progress, and continues it too.",
          body: z.object({
            deletion: z
              .object({
                state: z.enum(deletionPhases).meta({ description: "The step that runs next." }),
                done: z.int().min(0).meta({ description: "Number of erased identities." }),
                total: z
                  .int()
                  .min(0)
                  .meta({ description: "Number of identities when the deletion began." }),
              })
              .meta({ id: "TenantDeletion" }),
          }),
        },
        204: { description: "Nothing is left of the tenant except its sealed audit trail." },
      },
      errors: ["not_found", "tenant_active", "relocation_in_progress"],
    },
    async (request) => {
      // A test clock must not make a suspension older.
      const call = { ...request, now: request.arrivedAt };
      const deletion = await deleteTenant(call, request.param("id"), request.body.tenant.name);
      const { phase: state, done, total, finishedAt } = deletion;
      if (finishedAt !== null) return respond(204, null);
      return respond(202, { deletion: { state, done, total } });
    },
  ),
];
