/**
 * Freeman's idea as the published figures were measured: for each of seven features the log of its
 * share in the population over its share in the user's history, both smoothed, and their sum. EXTEND
 * (extend.ts) is another reading of the same paper.
 */
import type { Login, Model } from "../login.ts";
import { allFeatures, type Counts, UserCounts } from "./counts.ts";

/** Logins that the population's share counts for in the user's own. */
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
