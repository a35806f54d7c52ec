/** Creates attacks (pure): the network and agent of an attacker, by what it knows about the victim. */
import type { Crowd } from "../login.ts";
import type { Random } from "../random.ts";
import type { Visit } from "./logins.ts";
import { drawAddress, neighbourhoodOf, prefixOf, prefixSize } from "./networks.ts";
import { attackerRates, networkRates } from "./rates.ts";
import type { Strangers } from "./strangers.ts";

export const attackerKinds = ["naive", "vpn", "targeted", "veryTargeted", "stuffing"] as const;
export type AttackerKind = (typeof attackerKinds)[number];

/** One attempt on a user. */
export interface Attack {
  readonly kind: AttackerKind;
  readonly visit: Visit;
  /** The crowd of a campaign; null: the crowd that the real logins show. */
  readonly crowd: Crowd | null;
}

/** A new address is found at once, except in a /24 where the victim had most addresses. */
const maxTries = 20;

/** The login with the most common value; of equally common values, the latest. */
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

/** Draws an address that the victim never had. */
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

/** Draws how far a campaign is that tries many identities from one /24. */
function drawCampaign(random: Random): Crowd {
  const [min, max] = attackerRates.campaign.map(Math.log);
  const identities = Math.exp(random.between(min ?? 0, max ?? 0));
  const addresses = 1 + random.below(Math.min(prefixSize - 2, identities));
  const fromPrefix = 1 + random.below(identities);
  return { fromPrefix, fromAddress: Math.ceil(fromPrefix / addresses) };
}

/**
 * @param known logins of the victim so far
 * @returns undefined where this kind of attack needs a login of the victim and there is none
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
