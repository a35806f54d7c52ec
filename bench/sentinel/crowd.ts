/** Counts the identities from one address or /24 within ten minutes, as the prefix watch does. */

import type { Visit } from "./generator/logins.ts";
import { prefixOf } from "./generator/networks.ts";
import type { Crowd } from "./login.ts";

const windowMs = 10 * 60 * 1000;

export class CrowdWatch {
  readonly #recent = new Map<number, Visit[]>();

  add(visit: Visit): void {
    const prefix = prefixOf(visit.address);
    const others = (this.#recent.get(prefix) ?? []).filter(({ at }) => at > visit.at - windowMs);
    this.#recent.set(prefix, [...others, visit]);
  }

  /** The identities around the visit. The visit itself counts, whether it was added or not. */
  crowdOf(visit: Visit): Crowd {
    const recent = (this.#recent.get(prefixOf(visit.address)) ?? []).filter(
      ({ at }) => at > visit.at - windowMs && at <= visit.at,
    );
    const here = recent.filter(({ address }) => address === visit.address);
    const identities = (visits: readonly Visit[]) =>
      new Set([visit.user, ...visits.map(({ user }) => user)]).size;
    return { fromAddress: identities(here), fromPrefix: identities(recent) };
  }
}
