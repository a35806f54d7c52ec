/** What the edge looks up about a session for its assessment. */
import type { Context } from "../context.ts";
import type { Crowd, DataSource, NearbyFraud, NetworkCrowd, NetworkEvidence } from "../evidence.ts";
import type { Population } from "../population/population.ts";

/** It crosses RPC as JSON. */
export interface Surroundings {
  readonly context: Context;
  readonly network: NetworkEvidence;
  /** Keyed hash of the whole IPv6 address, which older builds stored in place of that of its /64. */
  readonly formerAddress?: string;
  /** The part of the tenant's population that the session is compared with. */
  readonly population: Population | null;
  /** The population was not read for this assessment. */
  readonly populationUnread: boolean;
  /** Null when the prefix watch did not answer. */
  readonly crowd: Crowd | null;
  /** What the tenant watch says about the session, if anything. */
  readonly networkCrowd?: NetworkCrowd;
  readonly nearbyFraud?: NearbyFraud;
  /** Data that is missing or stale. */
  readonly degraded: readonly DataSource[];
}
