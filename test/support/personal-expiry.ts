/** Trails whose events arrived on earlier days, and what can still be read of their personal parts. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { deriveKey } from "../../src/audit/derived-key.ts";
import type { AuditEvent, PersonalParts } from "../../src/audit/event.ts";
import {
  type OpenAuditKey,
  openAuditKey,
  openParts,
  resealParts,
  sealParts,
} from "../../src/audit/personal.ts";
import { findOrCreateDayKey } from "../../src/audit/personal-keys/client.ts";
import type { DayKey } from "../../src/audit/personal-keys/day.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { createId } from "../../src/crypto/id.ts";
import { restoreDigest } from "../../src/crypto/short-hex.ts";
import { runBatch } from "../../src/db/client.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import { noLocation } from "../../src/location.ts";
import type { Tenant, User } from "./client.ts";
import { drainOutbox } from "./delivered-trail.ts";
import { personalKeysOf } from "./personal-keys.ts";
import { sql } from "./trail.ts";

export const dayMs = 86_400_000;
const eventsPerStatement = 500;

/** The UTC day so many days ago. */
export function dayAgo(days: number): number {
  return Math.floor(Date.now() / dayMs) - days;
}

/** A box of an event, wherever it was found. */
export interface StoredBox {
  readonly tenantId: string;
  readonly targetId: string;
  readonly personalKey: string;
  readonly personal: string;
  readonly personalDigest: string;
}

/** The audit key of a user, as whoever has D1 and the sealing keys can open it. */
export async function openAuditKeyOf(user: User): Promise<OpenAuditKey> {
  const text = await env.DB.prepare("SELECT state FROM identities WHERE tenant_id = ? AND id = ?")
    .bind(user.tenant.id, user.id)
    .first<string>("state");
  const { auditKey } = JSON.parse(text ?? "{}");
  const owner = { tenantId: user.tenant.id, identityId: user.id };
  return await openAuditKey(requireConfig(env).sealingKeys, owner, auditKey);
}

async function getDayKey(tenantId: string, day: number): Promise<DayKey> {
  const key = await findOrCreateDayKey(env, { tenantId, location: noLocation }, day);
  if (key === undefined) throw new Error(`Day ${day} has expired`);
  return { day, key };
}

/** The next leaf index of a trail in `DB`. */
async function findNextLeaf(tenantId: string): Promise<number> {
  const next =
    "SELECT coalesce(max(leaf_index), -1) + 1 AS next FROM audit_events WHERE tenant_id = ?";
  return (await env.DB.prepare(next).bind(tenantId).first<number>("next")) ?? 0;
}

async function setArrival(tenantId: string, day: number, from: number): Promise<void> {
  await env.DB.prepare(
    "UPDATE audit_events SET arrived_at = ? + leaf_index - ? WHERE tenant_id = ? AND leaf_index >= ?",
  )
    .bind(day * dayMs, from, tenantId, from)
    .run();
}

/**
 * Makes everything that the user's tenant has filed so far as old as that day: the times of arrival, and the day keys
 * under which the personal parts are sealed.
 */
export async function ageTrail(user: User, day: number): Promise<void> {
  await drainOutbox(user);
  const tenantId = user.tenant.id;
  const open = await openAuditKeyOf(user);
  const to = await deriveKey(open, await getDayKey(tenantId, day));
  const { results } = await env.DB.prepare(
    `SELECT leaf_index, personal_key, personal, personal_digest FROM audit_events
     WHERE tenant_id = ? AND target_id = ? AND personal IS NOT NULL`,
  )
    .bind(tenantId, user.id)
    .all<{ leaf_index: number; personal_key: string; personal: string; personal_digest: string }>();
  for (const row of results) {
    const from = await deriveKey(open, await getDayKey(tenantId, sealingDayOf(row.personal_key)));
    const owner = { tenantId, identityId: user.id };
    const { personal, personalKey } = await resealParts(from, to, owner, {
      personalKey: row.personal_key,
      personal: row.personal,
      personalDigest: row.personal_digest,
    });
    await env.DB.prepare(
      "UPDATE audit_events SET personal = ?, personal_key = ? WHERE tenant_id = ? AND leaf_index = ?",
    )
      .bind(personal, personalKey, tenantId, row.leaf_index)
      .run();
  }
  await setArrival(tenantId, day, 0);
}

function sealingDayOf(personalKey: string): number {
  return Number(personalKey.split("@")[1]);
}

/**
 * Files events about the user that arrived on a day.
 * @param isOfOlderBuild whether the parts are sealed under the audit key alone
 */
export async function fileEventsOf(
  user: User,
  day: number,
  parts: readonly PersonalParts[],
  isOfOlderBuild = false,
): Promise<void> {
  const tenantId = user.tenant.id;
  const auditKey = await openAuditKeyOf(user);
  const key = isOfOlderBuild ? auditKey : await deriveKey(auditKey, await getDayKey(tenantId, day));
  const owner = { tenantId, identityId: user.id };
  const from = await findNextLeaf(tenantId);
  const db = await findTenantDb(env, tenantId);
  for (let start = 0; start < parts.length; start += eventsPerStatement) {
    const events = await Promise.all(
      parts
        .slice(start, start + eventsPerStatement)
        .map(async (one, index): Promise<AuditEvent> => {
          const at = day * dayMs + start + index;
          return {
            id: createId(at),
            tenantId,
            at,
            actor: { type: "operator", id: null },
            action: "otp.verified",
            target: { type: "identity", id: user.id },
            personal: null,
            sealed: await sealParts(key, owner, one),
            outcome: "failure",
            reason: "invalid_code",
            requestId: null,
            details: { method: "totp", failed_attempts: 1 },
          };
        }),
    );
    const stamped = await stampEvents(requireConfig(env).auditSigningKeys, events);
    await runBatch(db, [insertEvents(db, tenantId, stamped)]);
  }
  await setArrival(tenantId, day, from);
}

/** The boxes in the rows of D1. */
export async function readRowBoxes(tenant: Tenant): Promise<StoredBox[]> {
  const { results } = await env.DB.prepare(
    `SELECT tenant_id AS tenantId, target_id AS targetId, personal_key AS personalKey, personal,
       personal_digest AS personalDigest FROM audit_events
     WHERE tenant_id = ? AND personal IS NOT NULL ORDER BY leaf_index`,
  )
    .bind(tenant.id)
    .all<StoredBox & Record<string, string>>();
  return results.map((row) => ({ ...row, personalDigest: restoreDigest(row.personalDigest) }));
}

/** The texts of the tenant's objects in the archive, by name. */
export async function readArchiveTexts(tenant: Tenant): Promise<Map<string, string>> {
  const bucket = env.AUDIT_ARCHIVE;
  const listed = await bucket?.list({ prefix: `events/${tenant.id}/` });
  const texts = new Map<string, string>();
  for (const { key } of listed?.objects ?? []) {
    texts.set(key, (await (await bucket?.get(key))?.text()) ?? "");
  }
  return texts;
}

/** The boxes in the archive. */
export async function readArchivedBoxes(tenant: Tenant): Promise<StoredBox[]> {
  return [...(await readArchiveTexts(tenant)).values()]
    .flatMap((text) => text.split("\n").slice(0, -1))
    .map((line): StoredBox => JSON.parse(line))
    .filter(({ personal }) => personal !== null);
}

/** Every day key that the tenant's object still has. */
export async function readDayKeysOf(tenantId: string): Promise<DayKey[]> {
  return await runInDurableObject(personalKeysOf(tenantId), (_keys, { storage }) =>
    storage.sql
      .exec<{ day: number; key: ArrayBuffer }>(
        "SELECT day, key FROM day_keys WHERE key IS NOT NULL",
      )
      .toArray()
      .map(({ day, key }) => ({ day, key: new Uint8Array(key) })),
  );
}

/**
 * Opens the boxes as someone could who has D1, the archive, the sealing keys and the day keys that are left: whatever a
 * box says of its key, each audit key is tried, alone and with each day key.
 * @returns the texts of those that open
 */
export async function openBoxes(
  boxes: readonly StoredBox[],
  users: readonly User[],
): Promise<string[]> {
  const tenantId = users[0]?.tenant.id ?? "";
  const dayKeys = await readDayKeysOf(tenantId);
  const keysOf = new Map<string, OpenAuditKey[]>();
  for (const user of users) {
    const auditKey = await openAuditKeyOf(user);
    const derived = await Promise.all(dayKeys.map((dayKey) => deriveKey(auditKey, dayKey)));
    keysOf.set(user.id, [auditKey, ...derived]);
  }
  const texts: string[] = [];
  for (const box of boxes) {
    const owner = { tenantId, identityId: box.targetId };
    for (const key of keysOf.get(box.targetId) ?? []) {
      const parts = await openParts(key, owner, box);
      if (parts !== undefined) texts.push(JSON.stringify(parts));
    }
  }
  return texts;
}

/** The progress of the tenant's expiry; null if none has begun. */
export async function readExpiry(tenant: Tenant) {
  return await env.DB.prepare(
    "SELECT phase, events, assessments, cutoff_day FROM personal_expiries WHERE tenant_id = ?",
  )
    .bind(tenant.id)
    .first<{ phase: string; events: number; assessments: number; cutoff_day: number }>();
}

/** Sets a column of all events of the tenant. */
export async function setForAll(tenant: Tenant, assignment: string): Promise<void> {
  await sql(`UPDATE audit_events SET ${assignment} WHERE tenant_id = ?`, tenant.id);
}
