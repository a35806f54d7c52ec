/** Sessions as the tests of the pure parts need them. */
import type { Context } from "../../src/sentinel/context.ts";
import type { SessionEvidence } from "../../src/sentinel/evidence.ts";
import type { History, KnownSession } from "../../src/sentinel/history.ts";

export const hour = 60 * 60 * 1000;
export const day = 24 * hour;
/** The present of these tests, Unix ms: a Tuesday, 22:13 UTC. */
export const now = 1_700_000_000_000;

/** At home, at the usual computer. */
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

/** Somewhere else, on something else. */
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

/** Confirmed logins, a day apart, the last one so long ago. */
export function createLogins(count: number, ago: number, context: Context = usualContext): History {
  return Array.from({ length: count }, (_, index) =>
    createSession({ id: `s${index}`, at: now - ago - (count - 1 - index) * day, context }),
  );
}

/** A session that nothing speaks against or for. */
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
