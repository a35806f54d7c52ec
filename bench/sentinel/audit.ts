/**
 * Whether attacks can be recognised without any knowledge of the user (pure). A naive Bayes model counts how
 * often each trait occurs in attacks and in real logins of the validation period, and scores those of the
 * test period. If traits show nothing, the area under the ROC curve is 0.5.
 */
import { aucOf } from "./metrics.ts";
import { type Columns, keyOf } from "./results.ts";
import type { AuditName } from "./traits.ts";
import type { Kind, Protocol } from "./trial.ts";

/** Logins that each bin is assumed to have on both sides before any is counted. */
const prior = 2;

function countTraits(rows: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const traits of rows) {
    for (const [index, trait] of traits.entries()) {
      const key = `${index}/${trait}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

/** The area under the ROC curve; undefined if a side is empty. */
export function computeAudit(
  columns: Columns,
  protocol: Protocol,
  kind: Kind,
  name: AuditName,
): number | undefined {
  const traits = (period: "validation" | "test", of: Kind) =>
    columns[keyOf(protocol, period, of)]?.traits[name] ?? [];
  const [knownReal, knownAttacks] = [traits("validation", "real"), traits("validation", kind)];
  const [real, attacks] = [traits("test", "real"), traits("test", kind)];
  if ([knownReal, knownAttacks, real, attacks].some((rows) => rows.length === 0)) return undefined;
  const [inReal, inAttacks] = [countTraits(knownReal), countTraits(knownAttacks)];
  const score = (row: readonly string[]) =>
    row.reduce((sum, trait, index) => {
      const key = `${index}/${trait}`;
      const attackShare = ((inAttacks.get(key) ?? 0) + prior) / (knownAttacks.length + prior);
      const realShare = ((inReal.get(key) ?? 0) + prior) / (knownReal.length + prior);
      return sum + Math.log(attackShare / realShare);
    }, 0);
  return aucOf(real.map(score), attacks.map(score));
}
