/** Reads a user agent string (pure), with the patterns of isbot and bowser. */
import Bowser from "bowser";
import { createIsbotFromList, list } from "isbot";
import { contradictsItself } from "./agent-contradictions.ts";
import { cleanAgent } from "./agent-text.ts";

/** `impossible`: the agent claims to be a browser, and its parts contradict each other. */
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
 * Agents that only name a product, as a tenant's own program does. A pattern of isbot that matches one of
 * them is left out: it suits a public website, which expects browsers only, but not an API that assesses
 * clients of every kind.
 */
const productAgents = ["EnterpriseAgent/1.0", "Acme/3.2 (iOS)"];

const isAutomated = createIsbotFromList(
  list.filter((pattern) => {
    const expression = new RegExp(pattern, "i");
    return !productAgents.some((agent) => expression.test(agent));
  }),
);

/** HTTP stacks of phones. They name themselves when the app sets no agent. */
const appStackPattern = /\b(okhttp|CFNetwork|Dalvik)\//;
/** Clients that isbot finds only by the general patterns that are left out here. */
const libraryPattern = /^(axios|undici|got|ky|superagent|reqwest|faraday|ruby|nikto)\b|powershell/i;
const headlessPattern = /headless|phantomjs|puppeteer|playwright|selenium|webdriver/i;
/** A browser names the system it runs on. A script often claims `Mozilla/5.0` and nothing else. */
const browserPattern = /^Mozilla\/[45]\.0 \(/i;
const browserClaimPattern = /^Mozilla\//i;

function classifyAgent(agent: string): AgentKind {
  if (headlessPattern.test(agent)) return "headless";
  if (appStackPattern.test(agent)) return "application";
  if (isAutomated(agent) || libraryPattern.test(agent)) return "scripted";
  if (browserPattern.test(agent)) return contradictsItself(agent) ? "impossible" : "browser";
  return browserClaimPattern.test(agent) ? "scripted" : "application";
}

const browserNames: ReadonlySet<string> = new Set(Object.values(Bowser.BROWSER_MAP));
const systemNames: ReadonlySet<string> = new Set(Object.values(Bowser.OS_MAP));

/**
 * A program names itself first: `Acme/3.2`. The name is stored in plain text, so it must not identify a
 * person or a device: a name with a digit, a space or an @, or without a version, is ignored.
 */
const programPattern = /^([A-Za-z][A-Za-z._-]{0,39})\/v?(\d{1,4})(?!\d)/;

function parseProgram(agent: string): string | null {
  const [, name, major] = programPattern.exec(agent) ?? [];
  return name === undefined ? null : `${name} ${major}`;
}

/** Only names that bowser lists: any other name is text that the client chose. */
function listedBrowserOf(name: string, version: string | undefined): string | null {
  if (!browserNames.has(name)) return null;
  const major = /^\d{1,4}(?!\d)/.exec(version ?? "")?.[0];
  return major === undefined ? name : `${name} ${major}`;
}

function deviceOf(type: string | undefined, os: string | null): AgentFacts["device"] {
  if (type === "desktop" || type === "mobile" || type === "tablet") return type;
  if (type !== undefined && type !== "") return "other";
  return os === "Chrome OS" ? "desktop" : null;
}

/** A malformed agent comes from a script, unless it shows something worse. */
function kindOf(agent: string, isMalformed: boolean): AgentKind {
  const kind = classifyAgent(agent);
  return isMalformed && (kind === "browser" || kind === "application") ? "scripted" : kind;
}

/** Reads a user agent as the client sent it. Never throws, whatever the text. */
export function agentFactsOf(sent: string): AgentFacts {
  const { text, isMalformed } = cleanAgent(sent);
  const agent = text.trim();
  const isEmpty = agent === "" || sent.trim() === "";
  if (isEmpty) return { kind: "empty", browser: null, os: null, device: null };
  const parser = Bowser.getParser(agent, true);
  const system = parser.getOSName();
  const os = systemNames.has(system) ? system : null;
  return {
    kind: kindOf(agent, isMalformed),
    browser: browserClaimPattern.test(agent)
      ? listedBrowserOf(parser.getBrowserName(), parser.getBrowserVersion())
      : parseProgram(agent),
    os,
    device: deviceOf(parser.getPlatformType(), os),
  };
}
