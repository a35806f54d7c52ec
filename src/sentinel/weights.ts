/**
 * Every weight of the risk score, in log-odds: 0.69 doubles the odds of fraud, 2.3 multiplies them by ten.
 * With the prior of 5 %, evidence of 2.95 reaches the default challenge (0.5) and 4.34 the default denial
 * (0.8). docs/sentinel.md explains where each weight comes from.
 */
import type { Level } from "./context.ts";

/**
 * Names this set of signals and weights in every answer. Raise it when a signal or a weight changes. How an
 * agent is classified is not part of it: the class is stored as evidence, so a replay stays exact.
 */
export const model = "sentinel-3";

/** The assumed share of fraud among all sessions, before anything is known about this one. */
export const priorProbability = 0.05;

/** Evidence that reaches the default challenge. */
export const challengeEvidence = 2.9445;

export const weights = {
  /** By the number of threat lists that name the address, from 1. More lists count like the last entry. */
  threatListed: [2, 3, 3.4, 3.8, 4.1, 4.4, 4.7, 5],
  torExit: 3,
  vpn: 1.2,
  proxy: 1.2,
  scanner: 1.5,
  /** A browser rarely runs in a data centre; a program may. */
  hostingWithBrowser: 1.2,
  tenantDenyList: 8,
  tenantAllowList: -3,
  agentEmpty: 1.6,
  agentHeadless: 2.2,
  agentScripted: 2,
  agentImpossible: 2.2,
  /** Another system or device at the same address within minutes. Two devices of one user look the same. */
  agentSwitch: 0.7,
  /**
   * Added to the evidence of the new country itself, and what the session reaches at least with all other evidence:
   * the default challenge.
   */
  impossibleTravel: { alone: 1.5, withOthers: challengeEvidence },
  /**
   * The bound of the evidence against a session that what was known a week ago gives: a challenge at any hour, and no
   * denial. If the history has learned one network since, as on a journey, no challenge.
   */
  gradualChange: { max: 3.7, maxInOneNetwork: 2.2 },
  /**
   * The share of sessions through an exit that is assumed before any history, how many sessions the assumption weighs
   * as much as, and the bound of the evidence.
   */
  exits: { assumed: 0.105, trust: 2, max: 2.5 },
  /** The same for relays and reserved addresses, of which attackers use few. From a few logins on. */
  sharedAddress: { minLogins: 3, attackers: 0.03, assumed: 0.05, trust: 2, max: 2 },
  /** By the part that the session shares with one reported as fraud. */
  reportedFraud: { address: 4, prefix: 2, agent: 1 },
  /** The same, if the session was another user's. Thousands may have the agent. */
  nearbyFraud: { address: 2.5, prefix: 1.2, agent: 0.4 },
  /** By the smallest number of identities tried from the address, or from its block, in ten minutes. */
  stuffing: {
    address: [
      { from: 5, contribution: 0.8 },
      { from: 10, contribution: 1.6 },
      { from: 25, contribution: 2.6 },
      { from: 100, contribution: 3.6 },
    ],
    prefix: [
      { from: 15, contribution: 0.8 },
      { from: 40, contribution: 1.6 },
      { from: 100, contribution: 2.6 },
    ],
    /** Factor if the identity is known at the address, as in an office or a school. */
    atKnownAddress: 0.25,
  },
  /**
   * By the users from the session's network beyond what is expected. They are fewer than an office has newcomers, but
   * already corrected for chance: forty are a challenge by themselves, and thirty with a browser at a hoster.
   */
  networkStuffing: {
    steps: [
      { from: 10, contribution: 0.8 },
      { from: 20, contribution: 1.6 },
      { from: 30, contribution: 2.6 },
      { from: 40, contribution: 3.2 },
    ],
    /**
     * The share of a network before a population is known. Half of a national tenant's users may have one provider, so
     * that a launch must not look like an attack; few have a hoster or a VPN.
     */
    assumedShares: { ofProvider: 0.5, ofExit: 0.02 },
    atKnownAddress: 0.25,
  },
  /**
   * By the blocks and by the autonomous systems of the user's sessions in ten minutes. A phone may change its block
   * often, but not its provider.
   */
  manyNetworks: {
    blocks: [
      { from: 5, contribution: 0.8 },
      { from: 10, contribution: 1.6 },
      { from: 20, contribution: 2.6 },
      { from: 30, contribution: 3.6 },
    ],
    networks: [
      { from: 4, contribution: 0.8 },
      { from: 6, contribution: 1.6 },
      { from: 10, contribution: 2.6 },
      { from: 20, contribution: 3.6 },
    ],
    atKnownAddress: 0.25,
  },
  /**
   * By the time since a factor was verified on the device: right after it, long after it, and the days after which
   * the weight is halfway between the two. A token that was stolen long ago is used long after.
   */
  knownDevice: { now: -5, longAgo: -3.5, halfwayDays: 30 },
  /** By itself, and at most together with the evidence of habits. */
  noKnownDevice: { alone: 1.5, withHabits: 3.2 },
  userMismatch: 2.5,
  /** For each consecutive failed code, up to `maxFailuresCounted`. */
  failedAttempt: 0.4,
  locked: 1.5,
  /** For each window of `velocityLimits` that is exceeded. */
  velocity: 1,
  /** The whole evidence of a session from a test address: the scores are 0.05, 0.65 and 0.95. */
  testAddress: { allow: 0, challenge: 3.5635, deny: 5.8889 },
} as const;

/**
 * A person has no more attempts (codes and assessments) than this in the window, even if every page asks
 * for one. The guard keeps the newest hundred.
 */
export const velocityLimits = [
  { windowSeconds: 60, attempts: 20, name: "minute" },
  { windowSeconds: 600, attempts: 60, name: "10 minutes" },
  { windowSeconds: 3600, attempts: 90, name: "hour" },
] as const;

export const maxFailuresCounted = 5;

/** The time in which the networks of a user's sessions are counted. */
export const attemptWindowMs = 10 * 60 * 1000;

/** Within this time another agent at the same address counts as a switch. */
export const switchWindowMs = 10 * 60 * 1000;

/**
 * The kinds of attacker of behaviour/attacker-model.ts, by their names in the API. `share`: how common the kind is
 * among attackers; set on the tuning years (seeds 101 and 102) so that every attacker is found, and not how often they
 * come. `imitates`: how often it has the victim's value deliberately, apart from chance. These follow the
 * published overlaps of attackers with their victims (country 53 %, network 21 %, agent 1.4 % for attackers who know
 * nothing; network 42 % in the victim's country). A phisher relays the victim's own browser from a network of its
 * own. Only an attacker in the same house or office has the victim's own address.
 */
export const attackerKinds = [
  "stuffing",
  "proxy",
  "targeted",
  "neighbour",
  "housemate",
  "phisher",
] as const;
export type AttackerKind = (typeof attackerKinds)[number];

interface Attacker {
  readonly share: number;
  readonly imitates: Readonly<Record<Level, number>>;
  /** Logs in at the victim's own hours. */
  readonly keepsHours: boolean;
}

const knowsNoAgent = { device: 0.13, os: 0.06, family: 0.06, browser: 0.01, agent: 0.01 };
const knowsAgent = { device: 0.98, os: 0.98, family: 0.98, browser: 0.98, agent: 0.99 };

/**
 * What a backend may send of the client besides the agent. Assumed: few attackers set up a browser's time zone and
 * languages like the victim's; who copies the agent has its TLS fingerprint only with the same browser, and a phishing
 * relay has a stack of its own.
 */
const knowsNoClient = { timeZone: 0.05, acceptLanguage: 0.05, clientHints: 0.02, ja4: 0.05 };
const imitatesClient = { timeZone: 0.35, acceptLanguage: 0.35, clientHints: 0.3, ja4: 0.5 };

export const attackers: Readonly<Record<AttackerKind, Attacker>> = {
  stuffing: {
    share: 0.24,
    imitates: {
      country: 0.35,
      asn: 0.25,
      pool: 0.02,
      prefix: 0.005,
      address: 0.02,
      ...knowsNoAgent,
      ...knowsNoClient,
    },
    keepsHours: false,
  },
  proxy: {
    share: 0.05,
    imitates: {
      country: 0.98,
      asn: 0.3,
      pool: 0.02,
      prefix: 0.005,
      address: 0.02,
      ...knowsNoAgent,
      ...knowsNoClient,
      timeZone: 0.25,
    },
    keepsHours: false,
  },
  targeted: {
    share: 0.32,
    imitates: {
      country: 0.98,
      asn: 0.99,
      pool: 0.005,
      prefix: 0.03,
      address: 0.02,
      ...knowsAgent,
      ...imitatesClient,
    },
    keepsHours: false,
  },
  neighbour: {
    share: 0.25,
    imitates: {
      country: 0.98,
      asn: 0.98,
      pool: 0.96,
      prefix: 0.64,
      address: 0.01,
      ...knowsAgent,
      ...imitatesClient,
      timeZone: 0.98,
    },
    keepsHours: true,
  },
  housemate: {
    share: 0.005,
    imitates: {
      country: 0.98,
      asn: 0.98,
      pool: 0.98,
      prefix: 0.95,
      address: 0.9,
      ...knowsNoAgent,
      ...knowsNoClient,
      timeZone: 0.98,
      acceptLanguage: 0.7,
    },
    keepsHours: true,
  },
  phisher: {
    share: 0.135,
    imitates: {
      country: 0.5,
      asn: 0.15,
      pool: 0.02,
      prefix: 0.005,
      address: 0.02,
      ...knowsAgent,
      ...imitatesClient,
      ja4: 0.1,
    },
    keepsHours: true,
  },
};

/**
 * The kinds of attacker that a signal speaks of, if it does not speak of all alike: who tries many users or writes
 * programs does not imitate one victim, who imitates the victim's own network needs no exit, and who comes from many
 * networks has residential proxies.
 */
export const signalKinds: Readonly<Partial<Record<string, readonly AttackerKind[]>>> = {
  credential_stuffing: ["stuffing", "proxy"],
  network_stuffing: ["stuffing", "proxy"],
  many_networks: ["proxy"],
  agent_empty: ["stuffing", "proxy"],
  agent_headless: ["stuffing", "proxy"],
  agent_scripted: ["stuffing", "proxy"],
  agent_impossible: ["stuffing", "proxy"],
  threat_list: ["stuffing", "proxy", "phisher"],
  tor_exit: ["stuffing", "proxy", "phisher"],
  vpn: ["stuffing", "proxy", "phisher"],
  proxy: ["stuffing", "proxy", "phisher"],
  hosting_network: ["stuffing", "proxy", "phisher"],
  impossible_travel: ["stuffing", "phisher"],
};

/**
 * The probability that another person has a value by chance: `assumed` before a population is known, and
 * at most `max`, because attackers come from everywhere, whatever the tenant's users do.
 */
export const chance: Readonly<Record<Level, { readonly assumed: number; readonly max: number }>> = {
  country: { assumed: 0.3, max: 0.6 },
  asn: { assumed: 0.2, max: 0.5 },
  pool: { assumed: 0.005, max: 0.005 },
  prefix: { assumed: 0.003, max: 0.003 },
  address: { assumed: 0.02, max: 0.02 },
  device: { assumed: 0.45, max: 0.85 },
  os: { assumed: 0.5, max: 0.9 },
  family: { assumed: 0.5, max: 0.9 },
  browser: { assumed: 0.3, max: 0.8 },
  agent: { assumed: 0.6, max: 0.6 },
  timeZone: { assumed: 0.4, max: 0.8 },
  acceptLanguage: { assumed: 0.3, max: 0.7 },
  clientHints: { assumed: 0.2, max: 0.5 },
  ja4: { assumed: 0.3, max: 0.6 },
};

const dayMs = 24 * 60 * 60 * 1000;

/**
 * How often a real login is new on a level although it agrees on all coarser ones: right after the last login
 * (`immediate`), after a very long time (`longTerm`), and the time after which it is halfway between the two.
 * After `fewLogins` confirmed logins a new value is as likely as a known one. Assumed, within the published
 * shares of new countries (16 %), networks (23 %) and agents (52 %), which count first logins too; a tenant's
 * own statistics replace it.
 */
export const newness: Readonly<
  Record<
    Level,
    {
      readonly immediate: number;
      readonly longTerm: number;
      readonly halfwayMs: number;
      readonly fewLogins: number;
    }
  >
> = {
  country: { immediate: 0.01, longTerm: 0.15, halfwayMs: 14 * dayMs, fewLogins: 0.15 },
  asn: { immediate: 0.03, longTerm: 0.15, halfwayMs: 14 * dayMs, fewLogins: 0.3 },
  pool: { immediate: 0.06, longTerm: 0.45, halfwayMs: 14 * dayMs, fewLogins: 0.4 },
  prefix: { immediate: 0.05, longTerm: 0.4, halfwayMs: 14 * dayMs, fewLogins: 0.4 },
  address: { immediate: 0.08, longTerm: 0.6, halfwayMs: 7 * dayMs, fewLogins: 0.4 },
  device: { immediate: 0.03, longTerm: 0.15, halfwayMs: 60 * dayMs, fewLogins: 0.3 },
  os: { immediate: 0.01, longTerm: 0.08, halfwayMs: 60 * dayMs, fewLogins: 0.1 },
  family: { immediate: 0.02, longTerm: 0.08, halfwayMs: 60 * dayMs, fewLogins: 0.1 },
  browser: { immediate: 0.02, longTerm: 0.6, halfwayMs: 30 * dayMs, fewLogins: 0.2 },
  agent: { immediate: 0.02, longTerm: 0.25, halfwayMs: 30 * dayMs, fewLogins: 0.1 },
  timeZone: { immediate: 0.01, longTerm: 0.08, halfwayMs: 14 * dayMs, fewLogins: 0.1 },
  acceptLanguage: { immediate: 0.01, longTerm: 0.1, halfwayMs: 60 * dayMs, fewLogins: 0.1 },
  clientHints: { immediate: 0.02, longTerm: 0.3, halfwayMs: 30 * dayMs, fewLogins: 0.2 },
  ja4: { immediate: 0.03, longTerm: 0.4, halfwayMs: 30 * dayMs, fewLogins: 0.2 },
};

/**
 * How many sessions of the population or of a block, or changes that anybody would have made, weigh as much as the
 * assumption does. A few logins show how a user changes addresses; it takes more to show how the user changes devices.
 * Set on the tuning years (seeds 101 and 102).
 */
export const trust = {
  novelty: 25,
  changes: { network: 0.7, agent: 12 },
  shares: 20,
  hours: 6,
  block: 9,
} as const;

/** What the changes of another platform of the user say about this one. */
export const otherPlatformShare = 0.3;

/** What a session that nobody proved says, beside one that was confirmed by a code or by the tenant. */
export const weakShare = 0.75;

/** A session that had to be challenged is on probation for this time, or until another one confirms it. */
export const probationMs = 3 * dayMs;

/** What is older stands against a history that has changed step by step since. */
export const settledAfterMs = 7 * dayMs;

/**
 * The ratio of a new version above all known ones of the browser, and of any other new version: 60 % of the new
 * versions of users are updates, and 33.5 % of those of attackers are newer than the victim's.
 */
export const versionSteps = { newer: 0.335 / 0.6, older: 0.665 / 0.4 } as const;

/**
 * What the model states about network and agent, and what turned out to be true, log-odds. Read off the tuning years
 * (seeds 101 and 102), with 5 % of attacks and every attacker alike.
 */
export const calibration: readonly (readonly [stated: number, true: number])[] = [
  [-4, -4],
  [-1.4, -1.6],
  [-0.6, -0.8],
  [0, 0.1],
  [0.6, 0.9],
  [1, 1.4],
  [1.8, 2.2],
  [2.6, 2.85],
  [3.4, 3.8],
  [6, 6],
];

export const behaviourBounds = {
  minNewness: 0.0015,
  maxNewness: 0.97,
  /** On a level that cannot be compared. */
  maxSkippedNewness: 0.5,
  /** Bounds of how much more often than elsewhere users are new in a block. */
  minBlock: 0.1,
  maxBlock: 10,
  /** Bounds of the evidence, log-odds: habits must not outweigh everything else. */
  min: -4,
  /** While no session is confirmed but weakly. One confirmation gives more. */
  minOnlyWeak: -1.2,
  max: 6,
  /**
   * No denial: below this number of logins, and if nothing of the agent is new but its exact text. `maxOfAll` is the
   * bound with all else that follows from the history.
   */
  few: { minLogins: 5, max: 3.7, maxOfAll: 4.3 },
  /** Evidence above the first number approaches the second if the agent is known. */
  knownAgent: { from: 2.4, max: 2.93 },
  /** Anybody in the same part of the world keeps much the same hours. */
  hour: { min: -0.4, max: 0.7 },
  /** The client says these things of itself, so they count less for the user than against. */
  minClient: -1.5,
  maxClient: 4,
} as const;
