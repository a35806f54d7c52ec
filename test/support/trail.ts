/** Files events without a guard, and reads a tenant's trail over HTTP and from the tables. */
import { env } from "cloudflare:workers";
import type { AuditEvent } from "../../src/audit/event.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { createId } from "../../src/crypto/id.ts";
import { type Database, runBatch } from "../../src/db/client.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import type { Answer, Tenant } from "./client.ts";

const eventsPerStatement = 500;
const logsPerBatch = 100;

/** An event of the tenant at that time (Unix ms). Its target is the tenant. */
export function eventOf(tenantId: string, at: number): AuditEvent {
  return {
    id: createId(at),
    tenantId,
    at,
    actor: { type: "operator", id: null },
    action: "settings.changed",
    target: { type: "tenant", id: tenantId },
    personal: null,
    outcome: "success",
    reason: null,
    requestId: createId(at),
    details: { changed: "" },
  };
}

/** Files events as the service does, at the end of the tenant's log. */
export async function fileEvents(tenantId: string, events: readonly AuditEvent[]): Promise<void> {
  const db = await findTenantDb(env, tenantId);
  const stamped = await stampEvents(requireConfig(env).auditSigningKeys, events);
  for (let start = 0; start < stamped.length; start += eventsPerStatement) {
    const chunk = stamped.slice(start, start + eventsPerStatement);
    await runBatch(db, [insertEvents(db, tenantId, chunk)]);
  }
}

/** Files one event in each of these logs of a database. The tenants need no record. */
export async function fileEventEach(db: Database, tenantIds: readonly string[]): Promise<void> {
  const keys = requireConfig(env).auditSigningKeys;
  for (let start = 0; start < tenantIds.length; start += logsPerBatch) {
    const stamped = await Promise.all(
      tenantIds
        .slice(start, start + logsPerBatch)
        .map((tenantId) => stampEvents(keys, [eventOf(tenantId, Date.now())])),
    );
    await runBatch(
      db,
      stamped.map((events) => insertEvents(db, events[0]?.tenantId ?? "", events)),
    );
  }
}

/** The newest checkpoint, which covers all filed events. */
export async function fetchCheckpoint(tenant: Tenant): Promise<Answer["body"]> {
  const { status, body } = await tenant.send("GET", "/v1/audit/checkpoint");
  if (status !== 200) throw new Error(`No checkpoint: ${status} ${JSON.stringify(body)}`);
  return body.checkpoint;
}

/**
 * Removes the event that the newest export has left, while it is not integrated, so that the leaves that a test names do
 * not depend on how often the test has exported the trail.
 */
export async function forgetExport({ id }: Tenant): Promise<void> {
  const { $client } = await findTenantDb(env, id);
  const statement = $client.prepare(
    "DELETE FROM audit_events WHERE tenant_id = ?1 AND action = 'audit.exported' AND leaf_index >= (SELECT size FROM audit_trees WHERE tenant_id = ?1)",
  );
  await statement.bind(id).run();
}

/** The lines of the export, as objects. The export leaves no event. */
export async function fetchExport(tenant: Tenant, query = ""): Promise<Answer["body"][]> {
  const lines = await fetchReportedExport(tenant, query);
  await forgetExport(tenant);
  return lines;
}

/** The lines of the export, as objects. The export leaves an event, as always. */
export async function fetchReportedExport(tenant: Tenant, query = ""): Promise<Answer["body"][]> {
  const { status, body } = await tenant.send("GET", `/v1/audit/export${query}`);
  if (status !== 200) throw new Error(`No export: ${status} ${JSON.stringify(body)}`);
  const lines: string[] = String(body).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Runs a statement on D1 directly. The service gets no notice. */
export async function sql(statement: string, ...bindings: readonly string[]): Promise<void> {
  await env.DB.prepare(statement)
    .bind(...bindings)
    .run();
}

/** The tenant's rows of a table. */
export async function rowsOf(table: string, tenantId: string): Promise<Record<string, unknown>[]> {
  const statement = env.DB.prepare(`SELECT * FROM ${table} WHERE tenant_id = ?`);
  return (await statement.bind(tenantId).all()).results;
}
