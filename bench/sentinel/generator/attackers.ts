/** What attackers come with (pure), by what they know of the victim. */
import type { Crowd } from "../login.ts";
import type { Random } from "../random.ts";
import type { Visit } from "./logins.ts";
import { neighbourhoodOf, prefixOf, prefixSize, drawAddress } from "./networks.ts";
import { attackerRates, networkRates } from "./rates.ts";
import type { Strangers } from "./strangers.ts";

export const attackerKinds = ["naive", "vpn", "targeted", "veryTargeted", "stuffing"] as const;
export type AttackerKind = (typeof attackerKinds)[number];

/** One attempt on a user. */
export interface Attack {
  readonly kind: AttackerKind;
  readonly visit: Visit;
  /** Where a campaign is under way; else it is what the logins of others show. */
  readonly crowd: Crowd | null;
}

/** A free address is found at once, but for a /24 that the victim fills. */
const maxTries = 20;

/** The most common; the latest of those that are equally so. */
function findMostCommon<T>(known: readonly Visit[], of: (visit: Visit) => T): Visit | undefined {
  const counts = new Map<T, number>();
  let best: Visit | undefined;
  for (const visit of known) {
    const value = of(visit);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  for (const visit of known) {
    const count = counts.get(of(visit)) ?? 0;
    if (best === undefined || count >= (counts.get(of(best)) ?? 0)) best = visit;
  }
  return best;
}

/** An address that the victim never had. */
function drawNewAddress(known: readonly Visit[], some: () => number): number {
  const taken = new Set(known.map(({ address }) => address));
  let address = some();
  for (let left = maxTries; left > 0 && taken.has(address); left -= 1) address = some();
  return address;
}

function drawVpnSource(known: readonly Visit[], at: number, strangers: Strangers, random: Random) {
  const country = findMostCommon(known, ({ provider }) => provider.country)?.provider.country;
  return country === undefined ? undefined : strangers.drawInCountry(country, at, random);
}

function drawTargetedSource(
  known: readonly Visit[],
  at: number,
  strangers: Strangers,
  random: Random,
) {
  const last = known.at(-1);
  if (last === undefined) return undefined;
  let source = strangers.drawInNetwork(last.provider.asn, at, random);
  const address = drawNewAddress(known, () => {
    source = strangers.drawInNetwork(last.provider.asn, at, random);
    return source?.address ?? drawAddress(last.provider, random);
  });
  return { ...last, provider: source?.provider ?? last.provider, address };
}

function drawVeryTargetedSource(known: readonly Visit[], random: Random) {
  const last = known.at(-1);
  const home = findMostCommon(known, ({ address }) => prefixOf(address));
  if (last === undefined || home === undefined) return undefined;
  const size = random.chance(attackerRates.inOwnPrefix) ? prefixSize : networkRates.poolSize;
  const [start, length] = neighbourhoodOf(home.provider, home.address, size);
  const address = drawNewAddress(known, () => start + random.below(length));
  return { ...last, provider: home.provider, address };
}

/** How far a campaign is that tries many identities from one /24. */
function drawCampaign(random: Random): Crowd {
  const [fewest, most] = attackerRates.campaign.map(Math.log);
  const identities = Math.exp(random.between(fewest ?? 0, most ?? 0));
  const addresses = 1 + random.below(Math.min(prefixSize - 2, identities));
  const fromPrefix = 1 + random.below(identities);
  return { fromPrefix, fromAddress: Math.ceil(fromPrefix / addresses) };
}

/**
 * @param known logins of the victim so far
 * @returns undefined where nobody could attack that way: without a login there is no aim to take
 */
export function drawAttack(
  kind: AttackerKind,
  victim: number,
  known: readonly Visit[],
  at: number,
  strangers: Strangers,
  random: Random,
): Attack | undefined {
  const come = {
    naive: () => strangers.drawAny(at, random),
    vpn: () => drawVpnSource(known, at, strangers, random),
    targeted: () => drawTargetedSource(known, at, strangers, random),
    veryTargeted: () => drawVeryTargetedSource(known, random),
    stuffing: () => strangers.drawAny(at, random),
  };
  const source = come[kind]();
  if (source === undefined) return undefined;
  const crowd = kind === "stuffing" ? drawCampaign(random) : null;
  return { kind, crowd, visit: { ...source, user: victim, at } };
}
