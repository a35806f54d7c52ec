/** The models without statistics. */
import type { Model } from "../login.ts";
import { Random } from "../random.ts";
import { allFeatures, UserCounts } from "./counts.ts";

export function createRandomModel(seed: number): Model {
  const random = new Random(`random/${seed}`);
  return { name: "random", observe: () => undefined, score: () => random.next() };
}

/** SIMPLE: the share of features with a value that the user never had. */
export function createSimple(): Model {
  const seen = new UserCounts();
  return {
    name: "SIMPLE",
    observe: (login) => seen.add(login),
    score(login) {
      const own = seen.countsOf(login);
      const unseen = allFeatures.filter((feature) => (own?.countOf(login, feature) ?? 0) === 0);
      return unseen.length / allFeatures.length;
    },
  };
}
