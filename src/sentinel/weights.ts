/**
 * Every weight of the risk score, in log-odds: 0.69 doubles the odds of fraud, 2.3 makes them
 * tenfold. With the prior of 5 %, evidence of 2.95 reaches the default challenge (0.5) and 4.34 the
 * default denial (0.8). docs/sentinel.md says how each was set.
 */
import type { Level } from "./context.ts";

/**
 * Names this set of signals and weights in every answer. Raise it when a signal or a weight changes. How an
 * agent is classified is not part of it: the class is stored as evidence, so a replay stays exact.
 */
export const model = "sentinel-2";

/** Share of sessions that are fraud before anything is known of this one. */
export const priorProbability = 0.05;

export const weights = {
  /** By the number of threat lists that name the address, from one; more count as the last. */
  threatListed: [2, 3, 3.4, 3.8, 4.1, 4.4, 4.7, 5],
  torExit: 3,
  vpn: 1.2,
  proxy: 1.2,
  scanner: 1.5,
  /** A browser does not live in a data centre; a program may. */
  hostingWithBrowser: 1.2,
  tenantDenyList: 8,
  tenantAllowList: -3,
  agentEmpty: 1.6,
  agentHeadless: 2.2,
  agentScripted: 2,
  agentImpossible: 2.2,
  /** Another system or device at the same address within minutes; two devices do that too. */
  agentSwitch: 0.7,
  /** Too fast to travel, on top of what the new country says. */
  impossibleTravel: 1.5,
  /** The session shares this with one that was reported as fraud. */
  reportedFraud: { address: 4, prefix: 2, agent: 1 },
  /** Identities tried from the address, and from its prefix, in ten minutes: from so many on. */
  stuffing: {
    address: [
      { identities: 5, contribution: 0.8 },
      { identities: 10, contribution: 1.6 },
      { identities: 25, contribution: 2.6 },
      { identities: 100, contribution: 3.6 },
    ],
    prefix: [
      { identities: 15, contribution: 0.8 },
      { identities: 40, contribution: 1.6 },
      { identities: 100, contribution: 2.6 },
    ],
    /** What is left of it where the identity is known at the address: an office, a school. */
    atKnownAddress: 0.25,
  },
  userMismatch: 2.5,
  /** For each consecutive failed code, up to five. */
  failedAttempt: 0.4,
  locked: 1.5,
  /** For each window of time in which more was tried than a person does. */
  velocity: 1,
} as const;

/**
 * More attempts (codes and assessments) than this in the window are more than a person makes, even
 * where every page asks. The guard keeps the newest hundred.
 */
export const velocityLimits = [
  { windowSeconds: 60, attempts: 20, name: "minute" },
  { windowSeconds: 600, attempts: 60, name: "10 minutes" },
  { windowSeconds: 3600, attempts: 90, name: "hour" },
] as const;

export const maxFailuresCounted = 5;

/** Within so long another agent at the same address is a change within the session. */
export const switchWindowMs = 10 * 60 * 1000;

/**
 * Evidence of behaviour (likelihood.ts). Kinds of attacker: `share` of all, and how often they have
 * what the victim has beyond chance: set from the published overlaps of attackers with their victims
 * (country 53 %, network 21 %, agent 1.4 % for the ignorant; network 42 % in the victim's country).
 * Only who sits in the same house or office has the victim's own address.
 */
export const attackerKinds = [
  "ignorant",
  "sameCountry",
  "imitator",
  "neighbour",
  "housemate",
] as const;
export type AttackerKind = (typeof attackerKinds)[number];

interface Attacker {
  readonly share: number;
  readonly imitates: Readonly<Record<Level, number>>;
  /** Comes at the hours of the victim. */
  readonly keepsHours: boolean;
}

const knowsNoAgent = { device: 0.1, os: 0.1, family: 0.1, browser: 0.02, agent: 0.02 };
const knowsAgent = { device: 0.98, os: 0.98, family: 0.98, browser: 0.98, agent: 0.95 };

export const attackers: Readonly<Record<AttackerKind, Attacker>> = {
  ignorant: {
    share: 0.3,
    imitates: { country: 0.35, asn: 0.25, prefix: 0.005, address: 0.02, ...knowsNoAgent },
    keepsHours: false,
  },
  sameCountry: {
    share: 0.2,
    imitates: { country: 0.98, asn: 0.3, prefix: 0.005, address: 0.02, ...knowsNoAgent },
    keepsHours: false,
  },
  imitator: {
    share: 0.36,
    imitates: { country: 0.98, asn: 0.98, prefix: 0.02, address: 0.02, ...knowsAgent },
    keepsHours: false,
  },
  neighbour: {
    share: 0.11,
    imitates: { country: 0.98, asn: 0.98, prefix: 0.6, address: 0.02, ...knowsAgent },
    keepsHours: true,
  },
  housemate: {
    share: 0.03,
    imitates: { country: 0.98, asn: 0.98, prefix: 0.95, address: 0.9, ...knowsNoAgent },
    keepsHours: true,
  },
};

/**
 * How likely somebody has a value by chance: `usual` before a population is known, never more than
 * `most`, because attackers come from everywhere, whatever the tenant's users do.
 */
export const chance: Readonly<Record<Level, { readonly assumed: number; readonly max: number }>> = {
  country: { assumed: 0.3, max: 0.6 },
  asn: { assumed: 0.2, max: 0.5 },
  prefix: { assumed: 0.01, max: 0.01 },
  address: { assumed: 0.02, max: 0.02 },
  device: { assumed: 0.45, max: 0.8 },
  os: { assumed: 0.5, max: 0.85 },
  family: { assumed: 0.5, max: 0.85 },
  browser: { assumed: 0.3, max: 0.6 },
  agent: { assumed: 0.2, max: 0.2 },
};

const dayMs = 24 * 60 * 60 * 1000;

/**
 * How often a real login is new on a level, where it agrees on all coarser ones: at once after the
 * last login, in the end, and the time in which half of that way is gone; `fewLogins` confirmed
 * logins leave it as likely new as not. Assumed, within what is published of new countries (16 %),
 * networks (23 %) and agents (52 %), which counts first logins too; a tenant's own statistics take over.
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
  prefix: { immediate: 0.08, longTerm: 0.6, halfwayMs: 14 * dayMs, fewLogins: 0.4 },
  address: { immediate: 0.08, longTerm: 0.6, halfwayMs: 7 * dayMs, fewLogins: 0.4 },
  device: { immediate: 0.03, longTerm: 0.15, halfwayMs: 60 * dayMs, fewLogins: 0.3 },
  os: { immediate: 0.01, longTerm: 0.08, halfwayMs: 60 * dayMs, fewLogins: 0.1 },
  family: { immediate: 0.02, longTerm: 0.08, halfwayMs: 60 * dayMs, fewLogins: 0.1 },
  browser: { immediate: 0.02, longTerm: 0.6, halfwayMs: 30 * dayMs, fewLogins: 0.2 },
  agent: { immediate: 0.02, longTerm: 0.25, halfwayMs: 30 * dayMs, fewLogins: 0.1 },
};

/**
 * Sessions of the population, or logins of the user, that weigh as much as what is assumed. How a user
 * changes addresses shows soon, how one changes devices later.
 */
export const trust = {
  novelty: 25,
  ownNovelty: { network: 4, agent: 15 },
  shares: 20,
  hours: 6,
} as const;

export const behaviourBounds = {
  minNewness: 0.003,
  maxNewness: 0.97,
  /** A rare value of the user is no stronger evidence than this many times the chance of it. */
  maxCommonness: 4,
  /** No evidence about habits alone may outweigh everything else. */
  min: -4,
  max: 5,
  maxHour: 0.7,
} as const;
