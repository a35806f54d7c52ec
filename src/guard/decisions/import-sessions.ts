/** Past sessions that the tenant imports (pure). They become weakly confirmed ones. */
import { addSessions, type History } from "../../sentinel/history.ts";
import type { IdentityState } from "./state.ts";
import { type GuardCall, succeed, type Transition } from "./transition.ts";

/** `known`: the history has the session. `surplus`: it keeps other sessions in its place. */
export type ImportOutcome = "imported" | "known" | "surplus";

/** The result has the outcome of each session, in their order. */
export function importSessions(
  state: IdentityState,
  call: GuardCall,
  history: History,
  sessions: History,
): Transition<readonly ImportOutcome[]> {
  const known = new Set(history.map(({ id }) => id));
  // One request may name a session twice.
  const byId = new Map(sessions.map((session) => [session.id, session]));
  const fresh = [...byId.values()].filter(({ id }) => !known.has(id));
  const after = addSessions(history, fresh, call.now);
  const kept = new Set(after.map(({ id }) => id));
  const outcomes = sessions.map(({ id }) => {
    if (known.has(id)) return "known";
    return kept.has(id) ? "imported" : "surplus";
  });
  const added = fresh.filter(({ id }) => kept.has(id));
  if (added.length === 0) return { state, entries: [], result: succeed(outcomes) };
  return {
    // An import changes no security state: `updatedAt` stays.
    state,
    entries: [
      { action: "session.imported", outcome: "success", details: { sessions: added.length } },
    ],
    result: succeed(outcomes),
    history: after,
  };
}
