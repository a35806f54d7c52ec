/** The actions by which the trail can be filtered. */

import described from "virtual:audit-actions";
import type { AuditEventFilters } from "@edge-idp/sdk";

type Action = NonNullable<AuditEventFilters["action"]>;

/** All actions of the OpenAPI document, from which the types of the SDK come too. */
export const actions: readonly Action[] = described;

export function findAction(text: string | undefined): Action | undefined {
  return actions.find((action) => action === text);
}
