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

/**
 * Places in an order that rises with the distance: where a farther place has a lower ratio than a nearer one, the two
 * are judged together, as in isotonic regression (Barlow et al., 1972).
 */
function poolPlaces(places: readonly Place[], agent: Ratios): readonly Pool[] {
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
  return pools;
}

/** The ratio of a place in that order. */
function poolUpTo(places: readonly Place[], own: number, agent: Ratios): number {
  const fromNearest = places.length - 1 - own;
  const pool = poolPlaces(places, agent).findLast(({ from }) => from <= fromNearest);
  return pool === undefined ? 1 : pool.attackers / pool.user;
}

/** The ratio of all kinds, in the order of the distance on both hierarchies. */
export function mixInOrder(network: Places, agent: Places): number {
  const known = network.all.at(-1)?.attackers ?? neutralRatios;
  let highest = 0;
  for (let index = agent.own; index < agent.all.length; index += 1) {
    const ratios = ratiosOf({ ...agent, own: index });
    const least = mixKinds(known, ratios);
    highest = Math.max(
      highest,
      network.own === network.all.length - 1
        ? least
        : Math.max(least, poolUpTo(network.all, network.own, ratios)),
    );
  }
  return highest;
}

/** The places that give the ratio of `mixInOrder`, for an explanation. */
export interface OrderedPlaces {
  /** The place of the agent that is the riskiest of the session's own and the nearer ones. */
  readonly agent: number;
  /** The places of the network that are judged together; null: the one that is known in everything. */
  readonly network: { readonly from: number; readonly to: number } | null;
}

/** Finds them. A login does not wait for it. */
export function findOrderedPlaces(network: Places, agent: Places): OrderedPlaces {
  const known = network.all.at(-1)?.attackers ?? neutralRatios;
  const nearest = network.all.length - 1;
  const highest = mixInOrder(network, agent);
  for (let index = agent.own; index < agent.all.length; index += 1) {
    const ratios = ratiosOf({ ...agent, own: index });
    if (mixKinds(known, ratios) === highest) return { agent: index, network: null };
    const pools = poolPlaces(network.all, ratios);
    const found = pools.findLastIndex(({ from }) => from <= nearest - network.own);
    const pool = pools[found];
    if (pool === undefined || pool.attackers / pool.user !== highest) continue;
    const next = pools[found + 1]?.from ?? network.all.length;
    return { agent: index, network: { from: nearest - next + 1, to: nearest - pool.from } };
  }
  return { agent: agent.own, network: null };
}
