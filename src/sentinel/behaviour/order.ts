/**
 * Mixes the ratios of all kinds of attacker in the order of the distance (pure).
 *
 * A session is at least as risky as any that is nearer to the history would be, on either hierarchy: an attacker that
 * imitates the victim well is most likely found near, and must not make what is farther harmless. The bound is taken
 * over what is known of the user in general (likelihood.ts), so it holds for every nearer session at once.
 */
import { attackerKinds, attackers } from "../weights.ts";
import { neutralRatios, type Place, type Places, type Ratios, toRatios } from "./likelihood.ts";

/** How common the kinds of attacker are. */
export const shares: Ratios = attackerKinds.map((kind) => attackers[kind].share);

/** The ratios of all kinds together. */
export function mixKinds(network: Ratios, agent: Ratios, hour = neutralRatios): number {
  let all = 0;
  for (let index = 0; index < shares.length; index += 1) {
    const ratio = (network[index] ?? 1) * (agent[index] ?? 1) * (hour[index] ?? 1);
    all += (shares[index] ?? 0) * ratio;
  }
  return all;
}

export function ratiosOf({ all, own }: Places): Ratios {
  const place = all[own];
  if (place === undefined) return neutralRatios;
  // What the user has confirmed does not speak against the user, however restless the user is.
  return own === all.length - 1 ? place.attackers : toRatios(place);
}

/** Adjacent places that are judged together. */
interface Pool {
  attackers: number;
  user: number;
  /** The first place, of those that were added from the nearest on. */
  readonly from: number;
}

/** Places from one to another, the farthest first, that count as one. */
interface Judged {
  readonly ratio: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The ratio of a place in an order that rises with the distance: where a farther place has a lower ratio than a nearer
 * one, the two are judged together, as in isotonic regression (Barlow et al., 1972).
 */
function poolUpTo(places: readonly Place[], own: number, agent: Ratios): Judged {
  const pools: Pool[] = [];
  for (const [index, place] of places.toReversed().entries()) {
    pools.push({ attackers: mixKinds(place.attackers, agent), user: place.user, from: index });
    for (let last = pools.at(-1), before = pools.at(-2); last && before; ) {
      if (last.attackers * before.user >= before.attackers * last.user) break;
      pools.pop();
      before.attackers += last.attackers;
      before.user += last.user;
      [last, before] = [before, pools.at(-2)];
    }
  }
  const nearest = places.length - 1;
  const index = pools.findLastIndex(({ from }) => from <= nearest - own);
  const pool = pools[index];
  if (pool === undefined) return { ratio: 1, from: own, to: own };
  const next = pools[index + 1]?.from ?? places.length;
  return { ratio: pool.attackers / pool.user, from: nearest - next + 1, to: nearest - pool.from };
}

/** The ratio of all kinds in the order of the distance, and the places whose likelihoods give it. */
export interface OrderedRatio {
  readonly ratio: number;
  /** The place of the agent that is the riskiest of the session's own and the nearer ones. */
  readonly agent: number;
  /** The places of the network; null: the ratio is that of a network that is known in everything. */
  readonly network: Omit<Judged, "ratio"> | null;
}

/** Finds the ratio of all kinds, in the order of the distance on both hierarchies. */
export function judgeInOrder(network: Places, agent: Places): OrderedRatio {
  const known = network.all.at(-1)?.attackers ?? neutralRatios;
  const isKnown = network.own === network.all.length - 1;
  let highest: OrderedRatio = { ratio: 0, agent: agent.own, network: null };
  for (let index = agent.own; index < agent.all.length; index += 1) {
    const ratios = ratiosOf({ ...agent, own: index });
    const least = mixKinds(known, ratios);
    if (least > highest.ratio) highest = { ratio: least, agent: index, network: null };
    if (isKnown) continue;
    const pool = poolUpTo(network.all, network.own, ratios);
    if (pool.ratio > highest.ratio) highest = { ratio: pool.ratio, agent: index, network: pool };
  }
  return highest;
}
