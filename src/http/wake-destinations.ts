/** Wakes the tenant's destinations after a change of the control plane, whose events are filed with the change. */
import { wakeDestinations } from "../destinations/wake.ts";
import type { Step } from "./request-context.ts";

/** The members of a route that say whether it files events. */
interface FilingRoute {
  readonly method: string;
  readonly access: { readonly kind: string };
  readonly trailRead?: "filed" | "counted";
}

/** Whether events of the route are filed before it answers, and by no object of the tenant. */
export function filesInControlPlane({ method, access, trailRead }: FilingRoute): boolean {
  if (access.kind === "idp:export" || trailRead === "filed") return true;
  return method !== "get" && (access.kind === "tokens:write" || access.kind === "settings:write");
}

/** The response does not wait for it. */
export const wakeAfterChange: Step = async (c, next) => {
  await next();
  const token = c.get("presentedToken");
  if (token === undefined || token.destinations.length === 0) return;
  c.executionCtx.waitUntil(wakeDestinations(c.env, token, token.location, Date.now()));
};
