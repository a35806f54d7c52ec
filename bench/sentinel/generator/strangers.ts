/**
 * The logins of people who are not users of the service (pure). An attacker has the network and the agent of
 * one of them, from the same hour on an earlier day, so attackers have no distinct networks, agents or hours.
 */
import { Random, Weighted } from "../random.ts";
import type { Visit } from "./logins.ts";
import { drawAddress, type Provider } from "./networks.ts";
import { attackerRates } from "./rates.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** If no login fits at that hour, one of these days is drawn at any hour. */
const fallbackDays = 60;
/** A hoster has relays in proportion to its addresses to this power; assumed. */
const hosterConcentration = 0.5;

/** The index of the first visit that is not before the time. */
export function findFirstFrom(visits: readonly Visit[], at: number): number {
  let from = 0;
  let to = visits.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((visits[middle]?.at ?? 0) < at) from = middle + 1;
    else to = middle;
  }
  return from;
}

function drawBetween(visits: readonly Visit[], from: number, to: number, random: Random) {
  const first = findFirstFrom(visits, from);
  const count = findFirstFrom(visits, to) - first;
  return count > 0 ? visits[first + random.below(count)] : undefined;
}

function drawNear(visits: readonly Visit[], at: number, random: Random): Visit | undefined {
  const days = attackerRates.strangerDays;
  const start = random.below(days);
  for (let step = 0; step < days; step += 1) {
    const moment = at - ((start + step) % days) * dayMs;
    const found = drawBetween(visits, moment - hourMs, moment, random);
    if (found !== undefined) return found;
  }
  return drawBetween(visits, at - fallbackDays * dayMs, at, random);
}

export class Strangers {
  readonly #visits: readonly Visit[];
  readonly #byCountry: ReadonlyMap<string, readonly Visit[]>;
  readonly #byNetwork: ReadonlyMap<number, readonly Visit[]>;
  readonly #hosters: Weighted<Provider>;

  /**
   * @param visits in the order of time
   * @param hosters the networks of data centres
   */
  constructor(visits: readonly Visit[], hosters: readonly Provider[] = []) {
    this.#hosters = new Weighted(hosters, ({ addresses }) => addresses ** hosterConcentration);
    this.#visits = visits;
    this.#byCountry = Map.groupBy(visits, ({ provider }) => provider.country);
    this.#byNetwork = Map.groupBy(visits, ({ provider }) => provider.asn);
  }

  drawAny(at: number, random: Random): Visit | undefined {
    return drawNear(this.#visits, at, random);
  }

  drawInCountry(country: string, at: number, random: Random): Visit | undefined {
    return drawNear(this.#byCountry.get(country) ?? [], at, random);
  }

  /** A server of a data centre. */
  drawServer(random: Random): Pick<Visit, "provider" | "address"> {
    const provider = this.#hosters.draw(random);
    return { provider, address: drawAddress(provider, random) };
  }

  /** The network and agent that a slow campaign has on that day. */
  drawCampaign(day: number): Visit | undefined {
    return this.drawAny((day + 1) * dayMs, new Random(`campaign/${day}`));
  }

  drawInNetwork(asn: number, at: number, random: Random): Visit | undefined {
    return drawNear(this.#byNetwork.get(asn) ?? [], at, random);
  }
}
