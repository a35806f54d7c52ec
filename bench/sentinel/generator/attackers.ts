/** Creates attacks (pure): the network and agent of an attacker, by what it knows about the victim. */
import type { Crowd } from "../login.ts";
import type { Random } from "../random.ts";
import type { Visit } from "./logins.ts";
import { drawAddress, neighbourhoodOf, prefixOf, prefixSize } from "./networks.ts";
import { attackerRates, networkRates } from "./rates.ts";
import type { Strangers } from "./strangers.ts";

/** The attackers of sentinel-2's evaluation, and those that it lacked. */
export const earlierKinds = ["naive", "vpn", "targeted", "veryTargeted", "stuffing"] as const;
export const laterKinds = [
  "slowStuffing",
  "relayHoster",
  "relayResidential",
  "stolenCookie",
] as const;
export const attackerKinds = [...earlierKinds, ...laterKinds] as const;
export type AttackerKind = (typeof attackerKinds)[number];

/** Who is attacked, and when. */
export interface Target {
  readonly user: number;
  /** The logins of the victim so far. */
  readonly known: readonly Visit[];
  readonly at: number;
  /** The browser that the victim has in hand at that time, which a phishing relay passes on. */
  readonly browser: Pick<Visit, "agent" | "device"> | undefined;
}

/** One attempt on a user. */
export interface Attack {
  readonly kind: AttackerKind;
  readonly visit: Visit;
  /** The crowd of a campaign; null: the crowd that the real logins show. */
  readonly crowd: Crowd | null;
}

const dayMs = 24 * 60 * 60 * 1000;
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

/** A relay shows the service the victim's own browser, at the time at which the victim logs in. */
function drawRelaySource(
  { browser, known }: Target,
  place: Pick<Visit, "provider" | "address"> | undefined,
) {
  const { agent, device } = browser ?? known.at(-1) ?? {};
  if (agent === undefined || device === undefined || place === undefined) return undefined;
  return { agent, device, provider: place.provider, address: place.address };
}

function drawCampaignSource(at: number, strangers: Strangers, random: Random) {
  const day = Math.floor(at / (attackerRates.slowCampaignDays * dayMs));
  const campaign = strangers.drawCampaign(day);
  return campaign === undefined
    ? undefined
    : { ...campaign, address: drawAddress(campaign.provider, random) };
}

/** Somebody who copied the cookies of a device, with a browser that imitates the victim's last one. */
function drawThiefSource({ known, at }: Target, strangers: Strangers, random: Random) {
  const last = known.at(-1);
  if (last === undefined) return undefined;
  const place = random.chance(attackerRates.thiefInCountry)
    ? drawVpnSource(known, at, strangers, random)
    : strangers.drawAny(at, random);
  if (place === undefined) return undefined;
  return { ...last, provider: place.provider, address: place.address };
}

/** Draws how far a campaign is that tries many identities from one /24. */
function drawCampaign(random: Random): Crowd {
  const [min, max] = attackerRates.campaign.map(Math.log);
  const identities = Math.exp(random.between(min ?? 0, max ?? 0));
  const addresses = 1 + random.below(Math.min(prefixSize - 2, identities));
  const fromPrefix = 1 + random.below(identities);
  const fromAddress = Math.ceil(fromPrefix / addresses);
  return { fromAddress, fromPrefix, fromNetwork: fromPrefix };
}

function drawCrowd(kind: AttackerKind, random: Random): Crowd | null {
  if (kind === "stuffing") return drawCampaign(random);
  if (kind !== "slowStuffing") return null;
  return { fromAddress: 1, fromPrefix: 1 + random.below(attackerRates.slowCampaign) };
}

/** @returns undefined where this kind of attack needs a login of the victim and there is none */
export function drawAttack(
  kind: AttackerKind,
  target: Target,
  strangers: Strangers,
  random: Random,
): Attack | undefined {
  const { user, known, at } = target;
  const come: Readonly<Record<AttackerKind, () => Omit<Visit, "user" | "at"> | undefined>> = {
    naive: () => strangers.drawAny(at, random),
    vpn: () => drawVpnSource(known, at, strangers, random),
    targeted: () => drawTargetedSource(known, at, strangers, random),
    veryTargeted: () => drawVeryTargetedSource(known, random),
    stuffing: () => strangers.drawAny(at, random),
    slowStuffing: () => drawCampaignSource(at, strangers, random),
    relayHoster: () => drawRelaySource(target, strangers.drawServer(random)),
    relayResidential: () => drawRelaySource(target, drawVpnSource(known, at, strangers, random)),
    stolenCookie: () => drawThiefSource(target, strangers, random),
  };
  const source = come[kind]();
  if (source === undefined) return undefined;
  const crowd = drawCrowd(kind, random);
  return { kind, crowd, visit: { ...source, user, at } };
}
