/** The event `audit.exported`, which is filed before the first byte of an export. */
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent, type RequestActor } from "../audit/event.ts";
import { countExportReports } from "../audit/exported-store.ts";
import { controlDbOf, findTenantDb } from "../db/shards.ts";
import type { Config } from "../env.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import { stampTenantEvents } from "../tenancy/tenant-audit-key.ts";
import { requireValidToken } from "../tenancy/token-condition-store.ts";

/** A larger range is reported without a look at its events. */
const maxLookedAt = 100;

interface ExportCall {
  readonly env: Env;
  readonly config: Config;
  readonly caller: TenantCaller;
  readonly actor: RequestActor;
  readonly now: number;
  readonly requestId: string;
}

interface LeafRange {
  readonly from: number;
  /** Exclusive. */
  readonly below: number;
}

/**
 * Whether the range consists of reports of exports alone. Such an export is not reported: two programs that follow the
 * trail would otherwise cause events for each other for ever.
 */
async function hasOnlyReports(env: Env, tenantId: string, range: LeafRange): Promise<boolean> {
  const length = range.below - range.from;
  if (length > maxLookedAt) return false;
  const db = await findTenantDb(env, tenantId);
  return (await countExportReports(db, tenantId, range)) === length;
}

/**
 * Files the event in a batch that the caller's token must be valid for. An export of nothing is not reported.
 * @throws AppError `invalid_token`; StoreError. Nothing must be sent then
 */
export async function reportExport(
  call: ExportCall,
  range: LeafRange,
  format: string,
): Promise<void> {
  const { env, caller, now } = call;
  const { tenantId } = caller;
  const { from, below } = range;
  if (from >= below || (await hasOnlyReports(env, tenantId, range))) return;
  const event = createTenantEvent(
    tenantId,
    call,
    { type: "tenant", id: tenantId },
    {
      action: "audit.exported",
      outcome: "success",
      details: { format, from, to: below, count: below - from },
    },
  );
  const events = await stampTenantEvents(call, tenantId, [event]);
  await changeWithEvents(env, { tenantId }, events, [
    requireValidToken(controlDbOf(env), caller, now),
  ]);
}
