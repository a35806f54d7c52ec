/** What a user agent string says of itself (pure). The patterns are isbot's, a well-kept list. */
import { createIsbotFromList, list } from "isbot";

export type AgentKind = "empty" | "headless" | "scripted" | "browser" | "application";

/**
 * Agents that name no more than a product, as a tenant's own program does. Patterns that take one of
 * these for a bot fit a public web page, where only browsers are expected, not an API that is asked
 * about any client.
 */
const productAgents = ["EnterpriseAgent/1.0", "Acme/3.2 (iOS)"];

const isAutomated = createIsbotFromList(
  list.filter((pattern) => {
    const expression = new RegExp(pattern, "i");
    return !productAgents.some((agent) => expression.test(agent));
  }),
);

/** HTTP stacks of phones, which name themselves where an app does not. */
const appStack = /\b(okhttp|CFNetwork|Dalvik)\//;
/** Clients that the list leaves to its general patterns. */
const library = /^(axios|undici|got|ky|superagent|reqwest|faraday|ruby|nikto)\b|powershell/i;
const headless = /headless|phantomjs|puppeteer|playwright|selenium|webdriver/i;
/** A browser says what it runs on; the bare claim to be one is made by scripts. */
const browser = /^Mozilla\/[45]\.0 \(/i;
const claimsBrowser = /^Mozilla\//i;

export function agentKindOf(text: string): AgentKind {
  const agent = text.trim();
  if (agent === "") return "empty";
  if (headless.test(agent)) return "headless";
  if (appStack.test(agent)) return "application";
  if (isAutomated(agent) || library.test(agent)) return "scripted";
  if (browser.test(agent)) return "browser";
  return claimsBrowser.test(agent) ? "scripted" : "application";
}
