/** Counts the identities around a login within ten minutes, as the prefix watch and the tenant watch do. */

import {
  type ComparedActivity,
  compareWithActivity,
  countedNetworksOf,
} from "../../src/sentinel/activity/compare-activity.ts";
import {
  addAttempt,
  type NetworkAttempt,
  summarizeActivity,
} from "../../src/sentinel/activity/tenant-activity.ts";
import type { Context } from "../../src/sentinel/context.ts";
import { parseAddress } from "../../src/sentinel/network/address.ts";
import { subscriberOf } from "./generator/ipv6.ts";
import type { Visit } from "./generator/logins.ts";
import { prefixOf } from "./generator/networks.ts";
import type { Crowd, Login } from "./login.ts";

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
    const here = recent.filter(
      ({ address }) => subscriberOf(address) === subscriberOf(visit.address),
    );
    const identities = (visits: readonly Visit[]) =>
      new Set([visit.user, ...visits.map(({ user }) => user)]).size;
    return { fromAddress: identities(here), fromPrefix: identities(recent) };
  }
}

function networksOf({ address: text, asn }: Login): readonly string[] {
  const address = parseAddress(text);
  return address === undefined ? [] : countedNetworksOf(address, asn);
}

/** The attempts of all users from networks that do not speak for them. Nobody reports fraud here. */
export class NetworkWatch {
  #attempts: readonly NetworkAttempt[] = [];

  add(login: Login): void {
    const { user, at } = login;
    const attempt = { identityId: String(user), networks: networksOf(login), at };
    this.#attempts = addAttempt(this.#attempts, attempt);
  }

  compare(login: Login, context: Context): ComparedActivity {
    const { fromNetwork } = login.crowd;
    if (fromNetwork !== undefined) return { networkCrowd: { users: fromNetwork, fromNetwork } };
    if (this.#attempts.length === 0) return {};
    const activity = summarizeActivity(this.#attempts, [], login.at);
    return activity.networks.length === 0
      ? {}
      : compareWithActivity(activity, networksOf(login), context);
  }
}
