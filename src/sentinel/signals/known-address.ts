/** Whether the user is at home (pure): what others do there says less about the user. */
import type { SessionEvidence } from "../evidence.ts";

/** Whether the history of the user has the session's address, together with its network. */
export function isAtKnownAddress({ behaviour }: Pick<SessionEvidence, "behaviour">): boolean {
  return behaviour?.network.some(({ level, seen }) => level === "address" && seen) ?? false;
}

interface Step {
  readonly from: number;
  readonly contribution: number;
}

/** The contribution of the last step that the count reaches; 0 below the first. */
export function findStep(steps: readonly Step[], count: number): number {
  return steps.findLast(({ from }) => count >= from)?.contribution ?? 0;
}
