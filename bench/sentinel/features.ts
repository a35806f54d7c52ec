/**
 * The features of a login that a model is trained on (train/train.py): those of the Freeman sum one by one, and what
 * else the published trained models use.
 */
import type { Login } from "./login.ts";
import { allFeatures, UserCounts } from "./models/counts.ts";
import type { Kind, Period } from "./trial.ts";

export interface FeatureRow {
  readonly seed: number;
  readonly period: Period;
  readonly kind: Kind;
  readonly values: readonly number[];
}

export const featureNames: readonly string[] = [
  ...allFeatures.map((feature) => `ratio ${feature}`),
  ...allFeatures.map((feature) => `new ${feature}`),
  "new prefix",
  "logins",
  "hours since the last",
  "logins at this hour",
  "addresses per login",
  "agents per login",
  "identities at the address",
  "identities in the prefix",
];

const hourMs = 60 * 60 * 1000;
const nearHours = 2;

/** What one user did so far. */
interface Past {
  logins: number;
  lastAt: number;
  readonly hours: number[];
  readonly prefixes: Set<string>;
}

function hourOf(at: number): number {
  return Math.floor(at / hourMs) % 24;
}

export class Features {
  readonly #seen = new UserCounts();
  readonly #pasts = new Map<number, Past>();

  add(login: Login): void {
    this.#seen.add(login);
    const past = this.#pasts.get(login.user) ?? {
      logins: 0,
      lastAt: login.at,
      hours: Array.from({ length: 24 }, () => 0),
      prefixes: new Set(),
    };
    this.#pasts.set(login.user, past);
    past.logins += 1;
    past.lastAt = login.at;
    past.hours[hourOf(login.at)] = (past.hours[hourOf(login.at)] ?? 0) + 1;
    past.prefixes.add(login.prefix);
  }

  /** In the order of `featureNames`. */
  valuesOf(login: Login): number[] {
    const own = this.#seen.countsOf(login);
    const past = this.#pasts.get(login.user);
    const logins = own?.logins ?? 0;
    const all = this.#seen.population;
    const counts = allFeatures.map((feature) => own?.countOf(login, feature) ?? 0);
    const ratios = allFeatures.map((feature, index) => {
      const theirs = (all.countOf(login, feature) + 1) / (all.logins + 1);
      return Math.log(theirs / (((counts[index] ?? 0) + theirs) / (logins + 1)));
    });
    const hour = hourOf(login.at);
    const atThisHour = (past?.hours ?? []).reduce((sum, count, other) => {
      const apart = Math.abs(other - hour);
      return Math.min(apart, 24 - apart) <= nearHours ? sum + count : sum;
    }, 0);
    return [
      ...ratios,
      ...counts.map((count) => (count === 0 ? 1 : 0)),
      past?.prefixes.has(login.prefix) === true ? 0 : 1,
      Math.log1p(logins),
      Math.log1p((login.at - (past?.lastAt ?? login.at)) / hourMs),
      atThisHour / Math.max(1, logins),
      (own?.countDistinct("address") ?? 0) / Math.max(1, logins),
      (own?.countDistinct("agent") ?? 0) / Math.max(1, logins),
      Math.log(login.crowd.fromAddress),
      Math.log(login.crowd.fromPrefix),
    ];
  }
}
