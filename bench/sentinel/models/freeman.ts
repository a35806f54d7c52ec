/**
 * Freeman's idea as the published figures use it: the sum, over seven features, of the log of the share in
 * the population over the share in the user's history, both smoothed. EXTEND (extend.ts) is another
 * interpretation of the same paper.
 */
import type { Login, Model } from "../login.ts";
import { allFeatures, type Counts, UserCounts } from "./counts.ts";

/** The number of own logins that the population's share weighs as much as. */
const trust = 1;

export function computeFreemanScore(
  everybody: Counts,
  own: Counts | undefined,
  login: Login,
): number {
  return allFeatures.reduce((sum, feature) => {
    const theirs = (everybody.countOf(login, feature) + 1) / (everybody.logins + 1);
    const count = own?.countOf(login, feature) ?? 0;
    const mine = (count + trust * theirs) / ((own?.logins ?? 0) + trust);
    return sum + Math.log(theirs / mine);
  }, 0);
}

export function createFreeman(): Model {
  const seen = new UserCounts();
  return {
    name: "Freeman sum",
    observe: (login) => seen.add(login),
    score: (login) => computeFreemanScore(seen.population, seen.countsOf(login), login),
  };
}
