/** The probability of each kind of attacker, and of the real user (pure). */
import { type AttackerKind, attackerKinds } from "./weights.ts";

/** The names in the API, in the order in which they are shown. */
export const kindNames = [...attackerKinds, "real"] as const;
export type KindName = (typeof kindNames)[number];

/** The sum is 1, and `real` is what the risk score leaves. Each has four decimals, as the score has. */
export type Kinds = Readonly<Record<KindName, number>>;

/** A value for each kind of attacker, in the order of `attackerKinds`, on which stored values depend. */
export function mapKinds<T>(build: (kind: AttackerKind) => T): Record<AttackerKind, T> {
  return {
    stuffing: build("stuffing"),
    proxy: build("proxy"),
    targeted: build("targeted"),
    neighbour: build("neighbour"),
    housemate: build("housemate"),
    phisher: build("phisher"),
  };
}
