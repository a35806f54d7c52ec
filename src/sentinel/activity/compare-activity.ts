/** Compares a session with the activity of the whole tenant (pure). */
import type { Context } from "../context.ts";
import type { NearbyFraud, NetworkCrowd } from "../evidence.ts";
import { reportedParts } from "../evidence.ts";
import { type Address, addressBits, formatAddress } from "../network/address.ts";
import type { Reason } from "../reason.ts";
import type { TenantActivity } from "./tenant-activity.ts";

/** What one organisation usually has of IPv6, and many hosters give to one customer in many pieces. */
const ipv6OrganisationBits = 32n;

/** The networks that attempts are counted by: the autonomous system and, of an IPv6 address, the /32. */
export function countedNetworksOf(
  { family, value }: Pick<Address, "family" | "value">,
  asn: number | undefined,
): readonly string[] {
  const hostBits = BigInt(addressBits(6)) - ipv6OrganisationBits;
  const network = `${formatAddress(6, (value >> hostBits) << hostBits)}/${ipv6OrganisationBits}`;
  return [...(asn === undefined ? [] : [`AS${asn}`]), ...(family === 6 ? [network] : [])];
}

/** Whether the network speaks for the user. Otherwise the attempt counts in the whole tenant. */
export function isInKnownNetwork(
  reasons: readonly Pick<Reason, "signal" | "contribution">[],
): boolean {
  return reasons.some(
    ({ signal, contribution }) => signal === "network_history" && contribution < 0,
  );
}

export interface ComparedActivity {
  readonly networkCrowd?: NetworkCrowd;
  readonly nearbyFraud?: NearbyFraud;
}

/** What the activity says about a session; empty if nothing. */
export function compareWithActivity(
  { users, networks: listed, frauds }: TenantActivity,
  networks: readonly string[],
  session: Pick<Context, (typeof reportedParts)[number]>,
): ComparedActivity {
  const counts = listed.filter(({ network }) => networks.includes(network)).map((one) => one.users);
  const shared = reportedParts.filter((part) =>
    frauds.some((fraud) => fraud[part] !== null && fraud[part] === session[part]),
  );
  return {
    ...(counts.length === 0 ? {} : { networkCrowd: { users, fromNetwork: Math.max(...counts) } }),
    ...(shared.length === 0 ? {} : { nearbyFraud: shared }),
  };
}
