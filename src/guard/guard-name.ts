/** The name of an identity's guard, by which its object is found. */
export function guardNameOf(tenantId: string, identityId: string): string {
  return `${tenantId}:${identityId}`;
}
