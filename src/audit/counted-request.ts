/** A request of an API token that the tenant's refusal log counts: one that was refused, or one that read the trail. */
import type { Location } from "../location.ts";

export interface CountedRequest {
  readonly tenantId: string;
  readonly tokenId: string;
  /** Location of the tenant's Durable Objects. */
  readonly location: Location;
  /** The ids of the tenant's enabled destinations. */
  readonly destinations: readonly string[];
  /** Unix ms; the tenant's test clock if one was sent. */
  readonly at: number;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
  readonly requestId: string;
}
