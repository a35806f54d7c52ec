/** What the user agent says of itself (pure). */
import type { AgentKind } from "../agent.ts";
import { type Reason, createReason } from "../reason.ts";
import { weights } from "../weights.ts";

export function findAgentReasons(agent: AgentKind): Reason[] {
  switch (agent) {
    case "empty":
      return [createReason("agent_empty", weights.agentEmpty, "No user agent.")];
    case "headless":
      return [createReason("agent_headless", weights.agentHeadless, "A browser under automation.")];
    case "scripted":
      return [createReason("agent_scripted", weights.agentScripted, "A script, library or bot.")];
    case "impossible":
      return [
        createReason(
          "agent_impossible",
          weights.agentImpossible,
          "A user agent no real client has.",
        ),
      ];
    case "browser":
    case "application":
      return [];
  }
}
