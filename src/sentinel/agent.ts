/** What a user agent string says of itself (pure). The patterns are those of isbot and bowser. */
import Bowser from "bowser";
import { createIsbotFromList, list } from "isbot";
import { isImpossibleBrowser } from "./impossible-agent.ts";

/** `impossible`: the agent of a browser that nobody can have. */
export type AgentKind =
  | "empty"
  | "headless"
  | "scripted"
  | "impossible"
  | "browser"
  | "application";

export interface AgentFacts {
  readonly kind: AgentKind;
  /** Name and major version: `Chrome 126`. */
  readonly browser: string | null;
  /** Name only: `Windows`. */
  readonly os: string | null;
  readonly device: "desktop" | "mobile" | "tablet" | "other" | null;
}

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

function kindOf(agent: string, now: number): AgentKind {
  if (headless.test(agent)) return "headless";
  if (appStack.test(agent)) return "application";
  if (isAutomated(agent) || library.test(agent)) return "scripted";
  if (browser.test(agent)) return isImpossibleBrowser(agent, now) ? "impossible" : "browser";
  return claimsBrowser.test(agent) ? "scripted" : "application";
}

const browserNames: ReadonlySet<string> = new Set(Object.values(Bowser.BROWSER_MAP));
const systemNames: ReadonlySet<string> = new Set(Object.values(Bowser.OS_MAP));

/**
 * A program names itself first: `Acme/3.2`. The name is kept in clear, so it holds nothing that could
 * be a person's or a device's: no digits, no spaces, no @, and nothing without a version.
 */
const program = /^([A-Za-z][A-Za-z._-]{0,39})\/v?(\d{1,4})(?!\d)/;

function programOf(agent: string): string | null {
  const [, name, major] = program.exec(agent) ?? [];
  return name === undefined ? null : `${name} ${major}`;
}

/** Only names of the list: any other is text that the client chose. */
function knownBrowser(name: string, version: string | undefined): string | null {
  if (!browserNames.has(name)) return null;
  const major = /^\d{1,4}(?!\d)/.exec(version ?? "")?.[0];
  return major === undefined ? name : `${name} ${major}`;
}

function deviceOf(type: string | undefined, os: string | null): AgentFacts["device"] {
  if (type === "desktop" || type === "mobile" || type === "tablet") return type;
  if (type !== undefined && type !== "") return "other";
  return os === "Chrome OS" ? "desktop" : null;
}

/**
 * Reads a user agent. Never throws, whatever the text.
 * @param now real time, Unix ms: a browser of tomorrow is none
 */
export function agentFactsOf(text: string, now: number): AgentFacts {
  const agent = text.trim();
  if (agent === "") return { kind: "empty", browser: null, os: null, device: null };
  const parser = Bowser.getParser(agent, true);
  const system = parser.getOSName();
  const os = systemNames.has(system) ? system : null;
  return {
    kind: kindOf(agent, now),
    browser: claimsBrowser.test(agent)
      ? knownBrowser(parser.getBrowserName(), parser.getBrowserVersion())
      : programOf(agent),
    os,
    device: deviceOf(parser.getPlatformType(), os),
  };
}
