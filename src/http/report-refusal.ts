/** Reports refused requests to the tenant's refusal log, which files them in the audit trail. */
import { isReportedRefusal } from "../audit/refused-request.ts";
import { AppError } from "../errors.ts";
import { reportRefusal } from "../guard/refusal-log/report.ts";
import type { Step } from "./request-context.ts";

/** The response waits for the report, and is the same whether or not the report succeeds. */
export function reportIfRefused(route: string): Step {
  return async (c, next) => {
    await next();
    const { error } = c;
    if (!(error instanceof AppError) || error.isRecorded || !isReportedRefusal(error.code)) return;
    const presentedToken = c.get("presentedToken");
    // A token without a record belongs to no tenant.
    if (presentedToken === undefined) return;
    const refused = {
      ...presentedToken,
      code: error.code,
      route,
      arrivedAt: c.get("arrivedAt"),
      requestId: c.get("requestId"),
    };
    await reportRefusal(c.env, refused, (work) => c.executionCtx.waitUntil(work));
  };
}
