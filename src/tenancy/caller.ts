import type { Location } from "../location.ts";
import type { Permission } from "./permission.ts";
import type { TenantPolicy } from "./policy.ts";

/** The tenant on whose behalf an API token calls, as the token's record has it. */
export interface TenantCaller {
  readonly tenantId: string;
  readonly tokenId: string;
  readonly mode: "live" | "test";
  readonly permissions: readonly Permission[];
  /** Unix ms; null: never. */
  readonly expiresAt: number | null;
  readonly policy: TenantPolicy;
  /** Where the tenant's objects are. */
  readonly location: Location;
}

/** What a presented token was found to be. A revoked one is known, so that its use can be told. */
export interface ResolvedToken {
  readonly caller: TenantCaller;
  readonly revoked: boolean;
  /** From memory: what the stores say may have changed since. */
  readonly isCached: boolean;
}
