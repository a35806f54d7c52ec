/** What a user agent string says of itself (pure). The patterns are isbot's, a well-kept list. */
import { createIsbotFromList, list } from "isbot";

export type AgentKind = "empty" | "headless" | "scripted" | "browser" | "application";

/**
 * Agents that programs of ordinary users send. Patterns that take one of these for a bot fit a
 * public web page, where only browsers are expected, not an API that is asked about any client.
 */
const ordinaryAgents = [
  "EnterpriseAgent/1.0",
  "Acme/3.2 (iOS)",
  "Acme/12 CFNetwork/1474 Darwin/23.0.0",
  "okhttp/4.12.0",
];

const isAutomated = createIsbotFromList(
  list.filter((pattern) => {
    const expression = new RegExp(pattern, "i");
    return !ordinaryAgents.some((agent) => expression.test(agent));
  }),
);

/** Client libraries that the list leaves to its general patterns. */
const library = /^(axios|undici|got|ky|superagent|reqwest|faraday|ruby)\b/i;
const headless = /headless|phantomjs|puppeteer|playwright|selenium|webdriver|electron-nightmare/i;

export function agentKindOf(agent: string): AgentKind {
  if (agent.trim() === "") return "empty";
  if (headless.test(agent)) return "headless";
  if (isAutomated(agent) || library.test(agent)) return "scripted";
  return /^Mozilla\//.test(agent) ? "browser" : "application";
}
