/** `/v1/idp/users` and `/v1/idp/user`: identities from provisioning to erasure. */
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { findTenantDb, runInTenantDb } from "../db/shards.ts";
import { askGuard, readGuard } from "../guard/client.ts";
import { otpStatusOf, type Profile, statusOf } from "../guard/decisions/profile.ts";
import type { FoundRecord } from "../guard/rehydration.ts";
import { streamArgument } from "../guard/streamed-argument.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import {
  cursor,
  externalId,
  id,
  instant,
  limit,
  shownExternalId,
  toRfc3339,
  toRfc3339OrNull,
  userQuery,
} from "../http/schemas.ts";
import { findRecord, listEntries } from "../identity/store.ts";
import { claimTenantRequestKey } from "../tenancy/claim-request-key.ts";
import { createTextSchema } from "../text-schema.ts";

const status = z.enum(["active", "locked", "suspended"]);

export const otpStatus = z.enum(["none", "pending", "active", "disabled"]).meta({
  description:
    "`pending`: the first secret waits for its first code. `disabled`: too many failures, after which only a new secret helps.",
  examples: ["active"],
});

const flag = z
  .string()
  .refine((text) => ["true", "false"].includes(text), "must be true or false")
  .meta({ type: "boolean", examples: [true] })
  .transform((text) => text === "true");

const profileSchema = z
  .object({
    id,
    external_id: shownExternalId,
    status,
    has_otp: z.boolean(),
    has_passkeys: z.boolean().meta({ examples: [false] }),
    is_locked: z.boolean().meta({ examples: [false] }),
    failed_attempts: z.int().min(0),
    saas_client_id: id,
    locked_until: instant.nullable().meta({ examples: [null] }),
    backup_codes_remaining: z
      .int()
      .min(0)
      .meta({ examples: [10] }),
    created_at: instant,
    updated_at: instant,
    last_verified_at: instant.nullable(),
    otp_status: otpStatus,
    otp_pending: z.boolean().meta({
      description: "A new secret waits for its first code while the user has another one.",
      examples: [false],
    }),
  })
  .meta({ id: "Profile" });

function showProfile(profile: Profile): z.input<typeof profileSchema> {
  return {
    id: profile.id,
    external_id: profile.externalId,
    status: profile.status,
    has_otp: profile.hasOtp,
    has_passkeys: profile.hasPasskeys,
    is_locked: profile.isLocked,
    failed_attempts: profile.failedAttempts,
    saas_client_id: profile.tenantId,
    locked_until: toRfc3339OrNull(profile.lockedUntil),
    backup_codes_remaining: profile.backupCodesRemaining,
    created_at: toRfc3339(profile.createdAt),
    updated_at: toRfc3339(profile.updatedAt),
    last_verified_at: toRfc3339OrNull(profile.lastVerifiedAt),
    otp_status: profile.otpStatus,
    otp_pending: profile.otpPending,
  };
}

const profileResponses = {
  200: { description: "The profile of the identity.", body: profileSchema },
};

async function readFoundRecord(env: Env, tenantId: string, id: string): Promise<FoundRecord> {
  const row = await runInTenantDb(env, tenantId, (db) => findRecord(db, tenantId, id));
  return {
    record: row === undefined ? null : { version: row.version, isErased: row.state === null },
  };
}

export const identityRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/users",
      name: "provisionUser",
      summary: "Create an identity for an external user",
      description:
        "Links a user of yours to a new managed identity. The identity has no factor yet; configure TOTP or generate backup codes next.",
      tag: "Identities",
      access: requirePermission("idp:write"),
      body: z.strictObject({ user: z.strictObject({ external_id: externalId }) }),
      query: none,
      responses: {
        201: {
          description: "The new identity.",
          body: z.object({ user: z.object({ id, external_id: shownExternalId, status }) }),
        },
      },
      errors: ["user_exists"],
    },
    async (request) => {
      const { external_id } = request.body.user;
      const { tenantId } = request.caller;
      const identityId = await identityIdOf(tenantId, external_id);
      await claimTenantRequestKey(request);
      // A guard without state needs the record, which is read during the call and sent as a stream.
      const record = streamArgument(readFoundRecord(request.env, tenantId, identityId));
      const profile = await askGuard(request, identityId, (guard, call) =>
        guard.provision(call, external_id, record),
      );
      return respond(201, { user: { id: profile.id, external_id, status: profile.status } });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/idp/users",
      name: "listUsers",
      summary: "List the tenant's identities",
      description:
        "Lists the tenant's identities in the order of their ids. The list is a directory that follows a change within seconds; the profile is always current.",
      tag: "Identities",
      access: requirePermission("idp:read"),
      body: none,
      query: z.strictObject({
        limit,
        after: cursor,
        status: status.optional().meta({ description: "Identities with this status." }),
        has_otp: flag.optional().meta({ description: "Identities with or without a live secret." }),
        has_passkeys: flag
          .optional()
          .meta({ description: "Identities with or without a passkey." }),
        external_id_contains: createTextSchema(1, 255)
          .optional()
          .meta({
            description:
              "Identities whose `external_id` contains this text. ASCII letters match in either case.",
            examples: ["9921"],
          }),
      }),
      responses: {
        200: {
          description:
            "A page of identities in the order of their ids. It is a directory that follows the profiles within seconds. With a filter a page may be short or empty although `has_more` is true.",
          body: z.object({
            users: z.array(
              z.object({
                id,
                external_id: shownExternalId,
                status,
                has_otp: z.boolean(),
                has_passkeys: z.boolean().meta({ examples: [false] }),
                otp_status: otpStatus,
                locked_until: instant.nullable().meta({ examples: [null] }),
                created_at: instant,
              }),
            ),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
    },
    async ({ env, caller: { tenantId }, query, now }) => {
      const {
        has_otp: hasOtp,
        has_passkeys: hasPasskeys,
        external_id_contains: contained,
        ...page
      } = query;
      const db = await findTenantDb(env, tenantId);
      const { entries, nextAfter } = await listEntries(db, tenantId, {
        ...page,
        hasOtp,
        hasPasskeys,
        contained,
        now,
      });
      const users = entries.map((entry) => ({
        id: entry.id,
        external_id: entry.externalId,
        status: statusOf(entry.status, entry.lockedUntil, now),
        has_otp: entry.hasOtp,
        has_passkeys: entry.hasPasskeys,
        otp_status: otpStatusOf(entry, now),
        locked_until:
          entry.lockedUntil !== null && now < entry.lockedUntil
            ? toRfc3339(entry.lockedUntil)
            : null,
        created_at: toRfc3339(entry.createdAt),
      }));
      return respond(200, { users, has_more: nextAfter !== null, next_after: nextAfter });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/idp/user",
      name: "getUser",
      summary: "Get the profile of an identity",
      description:
        "Returns the current state of one identity, with its factors, failures and lock.",
      tag: "Identities",
      access: requirePermission("idp:read"),
      body: none,
      query: userQuery,
      responses: profileResponses,
      errors: ["user_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      const profile = await readGuard(request, identityId, (guard, call) => guard.getProfile(call));
      return respond(200, showProfile(profile));
    },
  ),
  defineRoute(
    {
      method: "patch",
      path: "/v1/idp/user",
      name: "setUserStatus",
      summary: "Suspend or reactivate an identity",
      description:
        "Suspends an identity or reactivates it. While it is suspended, every code is refused with `user_suspended`.",
      tag: "Identities",
      access: requirePermission("idp:write"),
      body: z.strictObject({
        user: z.strictObject({ status: z.enum(["active", "suspended"]) }),
      }),
      query: userQuery,
      responses: profileResponses,
      errors: ["user_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      const profile = await askGuard(request, identityId, (guard, call) =>
        guard.setStatus(call, request.body.user.status),
      );
      return respond(200, showProfile(profile));
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/idp/user/unlock",
      name: "unlockUser",
      summary: "Unlock an identity and reset its failures",
      description:
        "Ends a lock and sets the count of failures to 0. It does not enable a TOTP that failures have disabled; only a new secret does.",
      tag: "Identities",
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: profileResponses,
      errors: ["user_not_found"],
    },
    async (request) => {
      const { tenantId } = request.caller;
      const identityId = await identityIdOf(tenantId, request.query.externalUserId);
      await claimTenantRequestKey(request);
      const profile = await askGuard(request, identityId, (guard, call) => guard.unlock(call));
      return respond(200, showProfile(profile));
    },
  ),
  defineRoute(
    {
      method: "delete",
      path: "/v1/idp/user",
      name: "eraseUser",
      summary: "Erase an identity and everything about the person (GDPR art. 17)",
      description:
        "Erases an identity with its secrets, codes and history, and destroys the key of its personal data in the audit trail. It cannot be undone.",
      tag: "Identities",
      access: requirePermission("idp:write"),
      body: none,
      query: userQuery,
      responses: { 204: { description: "The identity is erased." } },
      errors: ["user_not_found"],
    },
    async (request) => {
      const identityId = await identityIdOf(request.caller.tenantId, request.query.externalUserId);
      await askGuard(request, identityId, (guard, call) => guard.erase(call));
      return respond(204, null);
    },
  ),
];
