/** A destination: a webhook or a stream of a tenant, as its row in `DB` describes it. */

export type DestinationKind = "webhook" | "stream";

/** Why the service disables a webhook: the receiver answered 410, or nothing was delivered for five days. */
export type DisabledReason = "gone" | "failing";

export interface DestinationOwner {
  readonly tenantId: string;
  /** The destination's id. */
  readonly id: string;
}

/** Times are Unix ms. */
export interface StoredDestination extends DestinationOwner {
  readonly kind: DestinationKind;
  /** What the tenant has configured, without credentials, as JSON. */
  readonly configuration: string;
  /** The credentials, as JSON in a box. */
  readonly credentials: string;
  readonly status: "enabled" | "disabled";
  readonly disabledReason: DisabledReason | null;
  readonly startLeaf: number;
  readonly startedAt: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}
