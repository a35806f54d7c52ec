/** Summarises a generated year (pure), in the figures that are published about the real data. */
import { isIpv6 } from "./generator/ipv6.ts";
import type { Visit } from "./generator/logins.ts";
import { sampledShares } from "./generator/rates.ts";
import { medianOf } from "./metrics.ts";

/** The values that are compared with the user's history. */
export const compared = ["country", "asn", "agent", "device"] as const;
export type Compared = (typeof compared)[number];
export type Shares = Readonly<Record<Compared, number>>;

const hourMs = 60 * 60 * 1000;

export function comparedValue(visit: Visit, what: Compared): string | number {
  switch (what) {
    case "country":
    case "asn":
      return visit.provider[what];
    default:
      return visit[what];
  }
}

export interface YearSummary {
  readonly logins: number;
  readonly once: number;
  readonly upTo9: number;
  readonly tenOrMore: number;
  readonly meanUpTo9: number;
  readonly meanTenOrMore: number;
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
  readonly countries: Readonly<Record<string, number>>;
  readonly devices: Readonly<Record<string, number>>;
  /** The shares of logins with a history that have a new value. */
  readonly newValues: Shares;
  /** The same with first logins counted as new, in the proportions of the published sample. */
  readonly newValuesSampled: Shares;
  /** The same of logins 2 to 72 hours after the previous one. */
  readonly newValuesSoon: Shares;
  readonly newAddress: number;
  readonly newAddressSoon: number;
  readonly soon: number;
  readonly ipv6: number;
}

function computeShares<T extends string | number>(values: Iterable<T>): Record<string, number> {
  const counts = new Map<T, number>();
  let all = 0;
  for (const value of values) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
    all += 1;
  }
  return Object.fromEntries([...counts].map(([value, count]) => [value, count / all]));
}

class Novelty {
  #all = 0;
  readonly #fresh = { country: 0, asn: 0, agent: 0, device: 0 };
  #freshAddress = 0;

  add(visit: Visit, known: readonly Visit[], weight = 1): void {
    this.#all += weight;
    for (const what of compared) {
      const value = comparedValue(visit, what);
      const seen = known.some((other) => comparedValue(other, what) === value);
      if (!seen) this.#fresh[what] += weight;
    }
    if (!known.some(({ address }) => address === visit.address)) this.#freshAddress += weight;
  }

  get logins(): number {
    return this.#all;
  }

  get address(): number {
    return this.#freshAddress / this.#all;
  }

  get shares(): Shares {
    const { country, asn, agent, device } = this.#fresh;
    const share = (count: number) => count / this.#all;
    return {
      country: share(country),
      asn: share(asn),
      agent: share(agent),
      device: share(device),
    };
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function groupOf(logins: number): 0 | 1 | 2 {
  if (logins >= 10) return 2;
  return logins >= 2 ? 1 : 0;
}

export function summarizeYear(visits: readonly Visit[]): YearSummary {
  const users = [...Map.groupBy(visits, ({ user }) => user).values()];
  const counts = users.map((own) => own.length).toSorted((left, right) => left - right);
  const [all, soon, sampled] = [new Novelty(), new Novelty(), new Novelty()];
  for (const own of users) {
    const weight = sampledShares[groupOf(own.length)];
    for (const [index, visit] of own.entries()) {
      const known = own.slice(0, index);
      sampled.add(visit, known, weight);
      const last = known.at(-1);
      if (last === undefined) continue;
      const hours = (visit.at - last.at) / hourMs;
      all.add(visit, known);
      if (hours >= 2 && hours <= 72) soon.add(visit, known);
    }
  }
  const some = counts.filter((count) => count >= 2 && count <= 9);
  const many = counts.filter((count) => count >= 10);
  const at = (share: number) => counts[Math.floor(share * counts.length)] ?? Number.NaN;
  return {
    logins: visits.length,
    once: counts.filter((count) => count === 1).length / counts.length,
    upTo9: some.length / counts.length,
    tenOrMore: many.length / counts.length,
    meanUpTo9: meanOf(some),
    meanTenOrMore: meanOf(many),
    median: medianOf(counts),
    p90: at(0.9),
    p99: at(0.99),
    countries: computeShares(visits.map(({ provider }) => provider.country)),
    devices: computeShares(visits.map(({ device }) => device)),
    newValues: all.shares,
    newValuesSampled: sampled.shares,
    newValuesSoon: soon.shares,
    newAddress: all.address,
    newAddressSoon: soon.address,
    soon: soon.logins / all.logins,
    ipv6: visits.filter(({ address }) => isIpv6(address)).length / visits.length,
  };
}
