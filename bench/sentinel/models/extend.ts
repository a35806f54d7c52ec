/**
 * EXTEND: the untrained model of Freeman et al. (NDSS 2016, equation 7), as the open reproduction of Wiefling
 * et al. (das-group/rba-algorithm) computes it, with its weights.
 *
 * For each of two features it divides the share in the population by the share in the user's own history,
 * each a weighted sum over a hierarchy. It multiplies the result by the probability that this user is
 * attacked, which is equal for all, over the probability that this user logs in. Only the finest level of the
 * population is smoothed, for values not seen yet. A feature without any value of the user's history has a
 * ratio of four.
 */
import type { Feature, Login, Model } from "../login.ts";
import { type Counts, UserCounts } from "./counts.ts";

type Hierarchy = readonly (readonly [feature: Feature, weight: number])[];

const hierarchies: readonly Hierarchy[] = [
  [
    ["address", 0.6],
    ["asn", 0.3],
    ["country", 0.1],
  ],
  [
    ["agent", 0.53867],
    ["browser", 0.26805],
    ["os", 0.18818],
    ["device", 0.00511],
  ],
];
const newFeatureRatio = 4;

/** The assumed number of unseen values: one, and the number of values on the other levels. */
function countUnseen(counts: Counts, others: readonly Feature[]): number {
  return 1 + others.reduce((sum, feature) => sum + counts.countDistinct(feature), 0);
}

function smoothShare(
  counts: Counts,
  login: Login,
  [finest, ...others]: readonly Feature[],
): number {
  if (finest === undefined) return 0;
  const count = counts.countOf(login, finest);
  const unseen = countUnseen(counts, others);
  if (count === 0) return 1 / (counts.logins + unseen);
  const within = count / (count + 1 + others.length);
  return (count / counts.logins) * (1 - unseen / (counts.logins + unseen)) * within;
}

/** The weighted share in the population. */
function computeGlobalShare(counts: Counts, login: Login, hierarchy: Hierarchy): number {
  const levels = hierarchy.map(([feature]) => feature);
  return hierarchy.reduce((sum, [feature, weight], index) => {
    const share =
      index === 0
        ? smoothShare(counts, login, levels)
        : counts.countOf(login, feature) / counts.logins;
    return sum + weight * share;
  }, 0);
}

function computeOwnShare(counts: Counts, login: Login, hierarchy: Hierarchy): number {
  return hierarchy.reduce(
    (sum, [feature, weight]) => sum + (weight * counts.countOf(login, feature)) / counts.logins,
    0,
  );
}

export function computeExtendScore(
  everybody: Counts,
  own: Counts,
  users: number,
  login: Login,
): number {
  const ratio = hierarchies.reduce((product, hierarchy) => {
    const theirs = computeGlobalShare(everybody, login, hierarchy);
    const mine = computeOwnShare(own, login, hierarchy);
    return product * (mine === 0 ? newFeatureRatio : theirs / mine);
  }, 1);
  return (ratio * everybody.logins) / (users * own.logins);
}

export function createExtend(): Model {
  const seen = new UserCounts();
  return {
    name: "EXTEND",
    observe: (login) => seen.add(login),
    score(login) {
      const own = seen.countsOf(login);
      // Without a history every feature counts as new.
      if (own === undefined) return newFeatureRatio ** hierarchies.length * seen.population.logins;
      return computeExtendScore(seen.population, own, seen.users, login);
    },
  };
}
