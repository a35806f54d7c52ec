/** What the user agent says of itself (pure). */
import type { AgentKind } from "../agent.ts";
import { type Reason, reason } from "../reason.ts";
import { weights } from "../weights.ts";

export function agentReasons(agent: AgentKind): Reason[] {
  switch (agent) {
    case "empty":
      return [reason("agent_empty", weights.agentEmpty, "No user agent.")];
    case "headless":
      return [reason("agent_headless", weights.agentHeadless, "A browser under automation.")];
    case "scripted":
      return [reason("agent_scripted", weights.agentScripted, "A script, library or bot.")];
    case "impossible":
      return [
        reason("agent_impossible", weights.agentImpossible, "A user agent no real client has."),
      ];
    case "browser":
    case "application":
      return [];
  }
}
