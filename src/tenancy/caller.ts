import type { Location } from "../location.ts";
import type { Permission } from "./permission.ts";
import type { TenantPolicy } from "./policy.ts";

/** The tenant whose API token sent a request, as the token's record describes it. */
export interface TenantCaller {
  readonly tenantId: string;
  readonly tokenId: string;
  readonly mode: "live" | "test";
  readonly permissions: readonly Permission[];
  /** Unix ms; null: never. */
  readonly expiresAt: number | null;
  readonly policy: TenantPolicy;
  readonly location: Location;
  /** The ids of the tenant's enabled destinations. */
  readonly destinations: readonly string[];
}

/**
 * The result of looking up a token. A revoked token has a caller too, so that its use can be reported.
 */
export interface ResolvedToken {
  readonly caller: TenantCaller;
  readonly revoked: boolean;
  /** Whether the tenant is active: neither suspended nor being deleted. */
  readonly isTenantActive: boolean;
}
