/**
 * The traits that could reveal an attack without any knowledge of the user, for the audit (audit.ts): the
 * size of the history, the time, and how common network and agent are. They are texts, so that they can be
 * counted.
 */
import type { Visit } from "./generator/logins.ts";
import { prefixOf } from "./generator/networks.ts";
import type { Trial } from "./trial.ts";

export const auditNames = ["history size", "rhythm", "network", "agent"] as const;
export type AuditName = (typeof auditNames)[number];
/** The traits of each audit. Each is the name of a bin. */
export type Traits = Readonly<Record<AuditName, readonly string[]>>;

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
const largeCountries = new Set(["NO", "US", "RU", "BR", "DE"]);

function binOf(count: number): string {
  return String(count <= 3 ? count : Math.floor(2 * Math.log2(count)));
}

/** The users that had a value. */
class Owners<K> {
  readonly #users = new Map<K, Set<number>>();

  add(value: K, user: number): void {
    const users = this.#users.get(value) ?? new Set();
    this.#users.set(value, users.add(user));
  }

  /** The number of users besides this one. */
  countOthers(value: K, user: number): number {
    const users = this.#users.get(value);
    return users === undefined ? 0 : users.size - (users.has(user) ? 1 : 0);
  }
}

/** Collects the real logins and gives the traits of a trial. */
export class TraitWatch {
  readonly #networks = new Owners<number>();
  readonly #prefixes = new Owners<number>();
  readonly #addresses = new Owners<number>();
  readonly #agents = new Owners<string>();

  add({ user, provider, address, agent }: Visit): void {
    this.#networks.add(provider.asn, user);
    this.#prefixes.add(prefixOf(address), user);
    this.#addresses.add(address, user);
    this.#agents.add(agent, user);
  }

  traitsOf({ visit, logins, sinceLastMs }: Trial): Traits {
    const { at, user, provider, address, agent } = visit;
    const { country } = provider;
    return {
      "history size": [binOf(logins)],
      rhythm: [
        String(Math.floor(at / hourMs) % 24),
        String(Math.floor(at / dayMs) % 7),
        binOf(Math.ceil(sinceLastMs / hourMs)),
      ],
      network: [
        largeCountries.has(country) ? country : "other",
        binOf(this.#networks.countOthers(provider.asn, user)),
        binOf(this.#prefixes.countOthers(prefixOf(address), user)),
        binOf(this.#addresses.countOthers(address, user)),
      ],
      agent: [binOf(this.#agents.countOthers(agent, user))],
    };
  }
}
