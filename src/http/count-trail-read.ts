/** Counts requests that were answered with events of the trail. */
import { reportTrailRead } from "../guard/refusal-log/report.ts";
import type { Step } from "./request-context.ts";

/** The response does not wait for it. */
export const countTrailRead: Step = async (c, next) => {
  await next();
  const token = c.get("presentedToken");
  if (token === undefined || c.error !== undefined || !c.res.ok) return;
  const read = { ...token, arrivedAt: c.get("arrivedAt"), requestId: c.get("requestId") };
  c.executionCtx.waitUntil(reportTrailRead(c.env, read));
};
