/** Example sessions for the tests of pure functions. */
import type { Context } from "../../src/sentinel/context.ts";
import type { SessionEvidence } from "../../src/sentinel/evidence.ts";
import type { History, KnownSession } from "../../src/sentinel/history.ts";

export const hour = 60 * 60 * 1000;
export const day = 24 * hour;
/** The current time in these tests, Unix ms: a Tuesday, 22:13 UTC. */
export const now = 1_700_000_000_000;

/** The user's own network and computer. */
export const usualContext: Context = {
  country: "NO",
  asn: 2119,
  prefix: "prefix-1",
  address: "address-1",
  device: "desktop",
  os: "Windows",
  browser: "Chrome 138",
  agent: "agent-1",
  placeHidden: false,
};

/** Another country and another device. */
export const strangerContext: Context = {
  country: "BR",
  asn: 28573,
  prefix: "prefix-9",
  address: "address-9",
  device: "mobile",
  os: "Android",
  browser: "Firefox 140",
  agent: "agent-9",
  placeHidden: false,
};

export function createSession(changes: Partial<KnownSession> = {}): KnownSession {
  return { id: "s", at: now - hour, verdict: "legitimate", context: usualContext, ...changes };
}

/** Confirmed logins, a day apart. @param ago age of the last one, ms */
export function createLogins(count: number, ago: number, context: Context = usualContext): History {
  return Array.from({ length: count }, (_, index) =>
    createSession({ id: `s${index}`, at: now - ago - (count - 1 - index) * day, context }),
  );
}

/** Evidence that gives no reasons. */
export const neutralEvidence: SessionEvidence = {
  context: usualContext,
  network: {
    address: "address-1",
    prefix: "prefix-1",
    facts: null,
    reservedRange: null,
    tenantList: null,
  },
  agent: "application",
  agentSwitched: false,
  userMismatch: false,
  identity: { failedAttempts: 0, locked: false, attempts: [1, 1, 1] },
  behaviour: null,
  travel: null,
  reported: [],
  crowd: { fromAddress: 1, fromPrefix: 1 },
};
