/** The signals about the user agent (pure). */
import type { AgentKind } from "../agent.ts";
import { createReason, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";

export function findAgentReasons(agent: AgentKind): Reason[] {
  switch (agent) {
    case "empty":
      return [createReason("agent_empty", weights.agentEmpty, "The session has no user agent.")];
    case "headless":
      return [
        createReason(
          "agent_headless",
          weights.agentHeadless,
          "The user agent is that of an automated browser.",
        ),
      ];
    case "scripted":
      return [
        createReason(
          "agent_scripted",
          weights.agentScripted,
          "The user agent is that of a script, library or bot.",
        ),
      ];
    case "impossible":
      return [
        createReason(
          "agent_impossible",
          weights.agentImpossible,
          "The parts of the user agent contradict each other.",
        ),
      ];
    case "browser":
    case "application":
      return [];
  }
}
