/** The probability of each kind of attacker, and of the real user (pure). */
import { attackerKinds } from "./weights.ts";

/** The names in the API, in the order in which they are shown. */
export const kindNames = [...attackerKinds, "real"] as const;
export type KindName = (typeof kindNames)[number];

/** The sum is 1, and `real` is what the risk score leaves. Each has four decimals, as the score has. */
export type Kinds = Readonly<Record<KindName, number>>;
