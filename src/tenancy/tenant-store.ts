/**
 * Tenants and their settings, in the control plane. Changes run in one batch with their events; see
 * audit/control-outbox/change.ts.
 */
import { and, asc, eq, getTableColumns, gt, isNull, sql } from "drizzle-orm";
import type { AuditKey } from "../audit/personal.ts";
import { versionOf } from "../crypto/sealed-box.ts";
import {
  awaitStore,
  type Database,
  requireCondition,
  type Statement,
  staleRead,
} from "../db/client.ts";
import { tenantFences, tenants } from "../db/tables.ts";
import type { TenantStatus } from "../db/tenant-status.ts";
import type { Jurisdiction } from "../location.ts";
import type { Mode } from "./api-token.ts";
import { toStoredRetention } from "./retention-settings.ts";
import { parseSettings, type SettingsPatch } from "./settings.ts";

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly mode: Mode;
  readonly jurisdiction: Jurisdiction | null;
  readonly settings: SettingsPatch;
  /** Unix ms. */
  readonly createdAt: number;
  /** The database with the tenant's data. */
  readonly shard: number;
  readonly status: TenantStatus;
  /** When the operator suspended the tenant, Unix ms of real time; null while it is active. */
  readonly suspendedAt: number | null;
}

/** A tenant whose settings are not parsed yet. */
export type StoredTenant = Omit<Tenant, "settings"> & { readonly settings: string };

const settings = sql`${tenants.settings}`.mapWith(parseSettings);

/**
 * Puts the version of the sealing key that a box needs back in use, as `reinstateNeededKeys` does for records. The table
 * of versions belongs to a layer above, so it is named here. Drizzle runs raw SQL in a batch only if it has no
 * parameters.
 */
export function reinstateSealingKey(db: Database, box: string): Statement {
  return db.run(sql`UPDATE key_versions SET retired_at = NULL, check_id = NULL
    WHERE keyring = 'sealing' AND version = ${sql.raw(String(versionOf(box) ?? 0))}
      AND (retired_at IS NOT NULL OR check_id IS NOT NULL)`);
}

/** Inserts a tenant. If its data is in another database, a fence keeps the data out of `DB`. */
export function insertTenant(
  db: Database,
  tenant: Tenant,
  auditKey: AuditKey | null = null,
): Statement[] {
  const { id, shard } = tenant;
  const fence = db.insert(tenantFences).values({ tenantId: id, state: "left", relocationId: id });
  const row = { ...tenant, settings: JSON.stringify(toStoredRetention(tenant.settings)), auditKey };
  return [
    db.insert(tenants).values(row),
    ...(shard === 0 ? [] : [fence]),
    ...(auditKey === null ? [] : [reinstateSealingKey(db, auditKey.sealed)]),
  ];
}

/** Undefined for an unknown tenant; null if it has none yet. @throws StoreError */
export async function findTenantAuditKey(
  db: Database,
  tenantId: string,
): Promise<AuditKey | null | undefined> {
  const rows = await awaitStore(
    db
      .select({ auditKey: tenants.auditKey })
      .from(tenants)
      .where(eq(tenants.id, tenantId))
      .limit(1),
  );
  return rows[0]?.auditKey;
}

/** Sets the audit key of a tenant without one. */
export function setTenantAuditKey(db: Database, tenantId: string, auditKey: AuditKey): Statement[] {
  const hasNone = and(eq(tenants.id, tenantId), isNull(tenants.auditKey));
  return [
    db.update(tenants).set({ auditKey }).where(hasNone),
    reinstateSealingKey(db, auditKey.sealed),
  ];
}

const {
  auditKey: _auditKey,
  destinations: _destinations,
  ...publicColumns
} = getTableColumns(tenants);
const tenantColumns = { ...publicColumns, settings };

export async function findTenant(db: Database, id: string): Promise<Tenant | undefined> {
  const rows = await awaitStore(
    db.select(tenantColumns).from(tenants).where(eq(tenants.id, id)).limit(1),
  );
  return rows[0];
}

/** Lists tenants in the order of their ids, which is the order of creation. */
export async function listTenants(
  db: Database,
  page: {
    readonly after?: string | undefined;
    readonly status?: TenantStatus | undefined;
    readonly limit: number;
  },
): Promise<Tenant[]> {
  const { after, status, limit } = page;
  const conditions = [
    after === undefined ? undefined : gt(tenants.id, after),
    status === undefined ? undefined : eq(tenants.status, status),
  ];
  return await awaitStore(
    db
      .select(tenantColumns)
      .from(tenants)
      .where(and(...conditions))
      .orderBy(asc(tenants.id))
      .limit(limit),
  );
}

/** Statements that change a tenant. Their batch throws StaleReadError if its name or status is not as read. */
export function updateTenant(
  db: Database,
  { id, name, status }: Tenant,
  change: Pick<Tenant, "name" | "status" | "suspendedAt">,
): Statement[] {
  const isAsRead = sql`EXISTS (SELECT 1 FROM ${tenants}
    WHERE ${and(eq(tenants.id, id), eq(tenants.name, name), eq(tenants.status, status))})`;
  return [
    requireCondition(db, isAsRead, staleRead),
    db.update(tenants).set(change).where(eq(tenants.id, id)),
  ];
}

/** The fields that a tenant has set, and the text in which they are stored. */
export interface StoredSettings {
  readonly set: SettingsPatch;
  readonly text: string;
}

export async function findSettings(
  db: Database,
  tenantId: string,
): Promise<StoredSettings | undefined> {
  const rows = await awaitStore(
    db
      .select({ set: settings, text: tenants.settings })
      .from(tenants)
      .where(eq(tenants.id, tenantId))
      .limit(1),
  );
  return rows[0];
}

/**
 * Lists the fields that determine where these tenants' objects are.
 * @throws StoreError, as do all of these
 */
export async function listLocations(
  db: Database,
  tenantIds: readonly string[],
): Promise<Pick<Tenant, "id" | "jurisdiction" | "settings">[]> {
  // One parameter for all ids, because D1 binds at most 100.
  const wanted = sql`${tenants.id} IN (SELECT value FROM json_each(${JSON.stringify(tenantIds)}))`;
  const { id, jurisdiction } = tenants;
  return await awaitStore(db.select({ id, jurisdiction, settings }).from(tenants).where(wanted));
}

/**
 * Statements that merge a patch into the settings (RFC 7396). Their batch throws StaleReadError if other
 * settings are stored by now than the ones that were read.
 * @param read the text of the settings that the patch was validated with
 */
export function patchSettings(
  db: Database,
  tenantId: string,
  read: string,
  patch: SettingsPatch,
): Statement[] {
  const stored = sql`(SELECT ${tenants.settings} FROM ${tenants} WHERE ${tenants.id} = ${tenantId})`;
  const merged = sql`json_patch(${tenants.settings}, ${JSON.stringify(toStoredRetention(patch))})`;
  return [
    requireCondition(db, sql`${stored} = ${read}`, staleRead),
    db.update(tenants).set({ settings: merged }).where(eq(tenants.id, tenantId)),
  ];
}
