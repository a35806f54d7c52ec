/**
 * What the operator has decided about a tenant. `suspended`: every request with an API token is refused, and the
 * data stays. `deleting`: the deletion has begun, so the tenant stays suspended until nothing is left of it.
 */
export const tenantStatuses = ["active", "suspended", "deleting"] as const;

export type TenantStatus = (typeof tenantStatuses)[number];
