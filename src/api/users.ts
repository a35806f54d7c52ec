/** `/v1/idp/users` and `/v1/idp/user`: identities from provision to erasure. */
import { z } from "zod";
import { identityIdOf } from "../crypto/id.ts";
import { controlDb, findTenantDb, inTenantDb } from "../db/shards.ts";
import { askGuard, readGuard } from "../guard/client.ts";
import { type Profile, statusOf } from "../guard/decisions/profile.ts";
import type { FoundRecord } from "../guard/rehydration.ts";
import { streamArgument } from "../guard/streamed-argument.ts";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { externalId, id, instant, limit, ofUser, rfc3339, rfc3339OrNull } from "../http/schemas.ts";
import { claimRequestKey } from "../idempotency/run-once.ts";
import { findRecord, listEntries } from "../identity/store.ts";

const status = z.enum(["active", "locked", "suspended"]);

const profileAnswer = z
  .object({
    id,
    external_id: z.string(),
    status,
    has_otp: z.boolean(),
    has_passkeys: z.boolean(),
    is_locked: z.boolean(),
    failed_attempts: z.int().min(0),
    saas_client_id: id,
    locked_until: instant.nullable(),
    backup_codes_remaining: z.int().min(0),
    created_at: instant,
    updated_at: instant,
    last_verified_at: instant.nullable(),
  })
  .meta({ id: "Profile" });

function showProfile(profile: Profile): z.input<typeof profileAnswer> {
  return {
    id: profile.id,
    external_id: profile.externalId,
    status: profile.status,
    has_otp: profile.hasOtp,
    // Passkeys are not offered yet; the field is the source document's.
    has_passkeys: false,
    is_locked: profile.isLocked,
    failed_attempts: profile.failedAttempts,
    saas_client_id: profile.tenantId,
    locked_until: rfc3339OrNull(profile.lockedUntil),
    backup_codes_remaining: profile.backupCodesRemaining,
    created_at: rfc3339(profile.createdAt),
    updated_at: rfc3339(profile.updatedAt),
    last_verified_at: rfc3339OrNull(profile.lastVerifiedAt),
  };
}

const profileAnswers = { 200: { description: "The profile.", body: profileAnswer } };

async function foundRecord(env: Env, tenantId: string, id: string): Promise<FoundRecord> {
  const row = await inTenantDb(env, tenantId, (db) => findRecord(db, tenantId, id));
  return {
    record: row === undefined ? null : { version: row.version, isErased: row.state === null },
  };
}

export const identityRoutes = [
  route(
    {
      method: "post",
      path: "/v1/idp/users",
      name: "provisionUser",
      summary: "Link an external user to a managed identity",
      tag: "Identities",
      access: tenantWith("idp:write"),
      body: z.strictObject({ user: z.strictObject({ external_id: externalId }) }),
      query: none,
      answers: {
        201: {
          description: "The new identity.",
          body: z.object({ user: z.object({ id, external_id: z.string(), status }) }),
        },
      },
      errors: ["user_exists"],
    },
    async (exchange) => {
      const { external_id } = exchange.body.user;
      const { tenantId } = exchange.caller;
      const identityId = identityIdOf(tenantId, external_id);
      await claimRequestKey(exchange, tenantId, controlDb(exchange.env));
      // Beside the call, for a guard that has nothing: it only reads.
      const record = streamArgument(foundRecord(exchange.env, tenantId, identityId));
      const profile = await askGuard(exchange, identityId, (guard, call) =>
        guard.provision(call, external_id, record),
      );
      return reply(201, { user: { id: profile.id, external_id, status: profile.status } });
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/idp/users",
      name: "listUsers",
      summary: "List the tenant's identities",
      tag: "Identities",
      access: tenantWith("idp:read"),
      body: none,
      query: z.strictObject({ limit, after: id.optional(), status: status.optional() }),
      answers: {
        200: {
          description:
            "A page of identities in the order of their ids. With `status` it may be short, even empty, and yet not be the last: see `has_more`.",
          body: z.object({
            users: z.array(z.object({ id, external_id: z.string(), status, created_at: instant })),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
    },
    async ({ env, caller: { tenantId }, query, now }) => {
      const db = await findTenantDb(env, tenantId);
      const { entries, nextAfter } = await listEntries(db, tenantId, { ...query, now });
      const users = entries.map((entry) => ({
        id: entry.id,
        external_id: entry.externalId,
        status: statusOf(entry.status, entry.lockedUntil, now),
        created_at: rfc3339(entry.createdAt),
      }));
      return reply(200, { users, has_more: nextAfter !== null, next_after: nextAfter });
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/idp/user",
      name: "getUser",
      summary: "The identity's profile",
      tag: "Identities",
      access: tenantWith("idp:read"),
      body: none,
      query: ofUser,
      answers: profileAnswers,
      errors: ["user_not_found"],
    },
    async (exchange) => {
      const identityId = identityIdOf(exchange.caller.tenantId, exchange.query.externalUserId);
      const profile = await readGuard(exchange, identityId, (guard, call) =>
        guard.getProfile(call),
      );
      return reply(200, showProfile(profile));
    },
  ),
  route(
    {
      method: "patch",
      path: "/v1/idp/user",
      name: "setUserStatus",
      summary: "Suspend or reactivate an identity",
      tag: "Identities",
      access: tenantWith("idp:write"),
      body: z.strictObject({
        user: z.strictObject({ status: z.enum(["active", "suspended"]) }),
      }),
      query: ofUser,
      answers: profileAnswers,
      errors: ["user_not_found"],
    },
    async (exchange) => {
      const identityId = identityIdOf(exchange.caller.tenantId, exchange.query.externalUserId);
      const profile = await askGuard(exchange, identityId, (guard, call) =>
        guard.setStatus(call, exchange.body.user.status),
      );
      return reply(200, showProfile(profile));
    },
  ),
  route(
    {
      method: "post",
      path: "/v1/idp/user/unlock",
      name: "unlockUser",
      summary: "End a lock and forget the failures",
      tag: "Identities",
      access: tenantWith("idp:write"),
      body: none,
      query: ofUser,
      answers: profileAnswers,
      errors: ["user_not_found"],
    },
    async (exchange) => {
      const { tenantId } = exchange.caller;
      const identityId = identityIdOf(tenantId, exchange.query.externalUserId);
      await claimRequestKey(exchange, tenantId, controlDb(exchange.env));
      const profile = await askGuard(exchange, identityId, (guard, call) => guard.unlock(call));
      return reply(200, showProfile(profile));
    },
  ),
  route(
    {
      method: "delete",
      path: "/v1/idp/user",
      name: "eraseUser",
      summary: "Erase an identity and all that is kept of the person (GDPR art. 17)",
      tag: "Identities",
      access: tenantWith("idp:write"),
      body: none,
      query: ofUser,
      answers: { 204: { description: "Erased." } },
      errors: ["user_not_found"],
    },
    async (exchange) => {
      const identityId = identityIdOf(exchange.caller.tenantId, exchange.query.externalUserId);
      await askGuard(exchange, identityId, (guard, call) => guard.erase(call));
      return reply(204, null);
    },
  ),
];
