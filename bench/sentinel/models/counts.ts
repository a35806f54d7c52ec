/** Counts how often each value of each feature was seen. */
import { type Feature, featureOf, features, type Login } from "../login.ts";

export const allFeatures: readonly Feature[] = [...features.network, ...features.agent];

export class Counts {
  #logins = 0;
  readonly #counts = new Map(allFeatures.map((feature) => [feature, new Map<string, number>()]));

  get logins(): number {
    return this.#logins;
  }

  add(login: Login): void {
    this.#logins += 1;
    for (const [feature, counts] of this.#counts) {
      const value = featureOf(login, feature);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }

  countOf(login: Login, feature: Feature): number {
    return this.#counts.get(feature)?.get(featureOf(login, feature)) ?? 0;
  }

  countDistinct(feature: Feature): number {
    return this.#counts.get(feature)?.size ?? 0;
  }
}

/** The counts of all users together, and of each user. */
export class UserCounts {
  readonly population = new Counts();
  readonly #users = new Map<number, Counts>();

  get users(): number {
    return this.#users.size;
  }

  add(login: Login): void {
    this.population.add(login);
    const own = this.#users.get(login.user) ?? new Counts();
    this.#users.set(login.user, own);
    own.add(login);
  }

  countsOf({ user }: Login): Counts | undefined {
    return this.#users.get(user);
  }
}
