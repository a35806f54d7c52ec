/** Takes leases from tenants' export registers, which bound how many exports are open at once. */
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { stubFor } from "../location.ts";
import { causeOf, log } from "../log.ts";
import type { TenantCaller } from "./caller.ts";
import { exportLeaseMs, maxExportsPerTenant, maxExportsPerToken } from "./export-limits.ts";

const registerTimeoutMs = 2_000;
/** A third of the lease, so that two extensions in a row may fail. */
const extendAfterMs = exportLeaseMs / 3;

/** The right to go on with one export. */
export interface ExportLease {
  /** Extends the lease when that is due. @throws AppError once it has run out and cannot be taken again */
  extend(): Promise<void>;
  /** Never throws: a lease that is not released runs out. */
  release(): Promise<void>;
}

interface ExportCall {
  readonly env: Env;
  readonly caller: Pick<TenantCaller, "tenantId" | "tokenId" | "location">;
  readonly requestId: string;
}

function registerOf({ env, caller }: ExportCall) {
  return stubFor(env.EXPORTS, caller.tenantId, caller.location);
}

/** @throws AppError `rate_limited`; `unavailable` if the register does not answer */
async function holdLease(call: ExportCall): Promise<void> {
  const { requestId, caller } = call;
  const { tenantId, tokenId } = caller;
  const hold = async () => await registerOf(call).hold({ leaseId: requestId, tokenId });
  const answer = await awaitWithin(registerTimeoutMs, hold()).catch((error: unknown) => {
    log("error", "export_register_unreachable", { tenant_id: tenantId, cause: causeOf(error) });
  });
  if (answer === undefined) throw new AppError("unavailable");
  if (answer.retryAfterSeconds === null) return;
  throw new AppError("rate_limited", {
    message: `At most ${maxExportsPerToken} exports of an API token and ${maxExportsPerTenant} of a tenant can be open at once; end one, or wait as long as Retry-After states.`,
    headers: { "Retry-After": String(answer.retryAfterSeconds) },
  });
}

/** @throws AppError `rate_limited`; `unavailable` if the register does not answer */
export async function takeExportLease(call: ExportCall): Promise<ExportLease> {
  let heldAt = Date.now();
  await holdLease(call);
  return {
    async extend() {
      const now = Date.now();
      if (now - heldAt < extendAfterMs) return;
      try {
        await holdLease(call);
        heldAt = now;
      } catch (error) {
        if (now - heldAt >= exportLeaseMs) throw error;
      }
    },
    async release() {
      const release = async () => await registerOf(call).release(call.requestId);
      await awaitWithin(registerTimeoutMs, release()).catch(() => {});
    },
  };
}
