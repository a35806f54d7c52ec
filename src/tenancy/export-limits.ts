/** How many exports may be open at once, and what their register answers. */

/** An open export holds a lease of this length, and extends it. */
export const exportLeaseMs = 30_000;
export const maxExportsPerToken = 2;
export const maxExportsPerTenant = 4;

export interface LeaseRequest {
  readonly leaseId: string;
  readonly tokenId: string;
}

export interface LeaseAnswer {
  /** Null if the lease is held; otherwise the seconds after which another lease may have run out. */
  readonly retryAfterSeconds: number | null;
}
