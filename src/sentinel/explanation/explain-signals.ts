/**
 * The steps of the signals that are not about habits (pure): for each, the numbers that it follows from, and the formula
 * of its contribution.
 */
import type { SessionEvidence } from "../evidence.ts";
import type { ReasonName } from "../reason.ts";
import { findStep, isAtKnownAddress } from "../signals/known-address.ts";
import { listNearbyParts } from "../signals/nearby-fraud.ts";
import { assumeShare } from "../signals/network-stuffing.ts";
import {
  attackerKinds,
  maxFailuresCounted,
  signalKinds,
  trust,
  velocityLimits,
  weights,
} from "../weights.ts";
import type { Sheet } from "./sheet.ts";

/** What a signal that is explained may build on. */
export interface Surroundings {
  readonly evidence: SessionEvidence;
  /** The step that says how well each kind of attacker fits the history; null without a history. */
  readonly fit: string | null;
  /** The step with the evidence of the habits together. */
  readonly habits: string;
  /** What network and agent say, compared with a week ago; null if nothing was compared. */
  readonly settled: string | null;
  /** The most that an impossible journey may add, unless it is binding; null: no bound. */
  readonly travel: {
    readonly others: string;
    readonly room: string | null;
    readonly isBinding: boolean;
  };
}

type Explain = (sheet: Sheet, surroundings: Surroundings) => string;

/** A weight that the session has or has not. */
function fixed(weight: number, meaning: string): Explain {
  return (sheet) => {
    const name = `weight_${sheet.steps.length}`;
    sheet.weigh(name, weight, meaning);
    return name;
  };
}

function exit(alone: number): Explain {
  return (sheet, { evidence: { behaviour } }) => {
    const { assumed, trust: trusted, max } = weights.exits;
    const { count, all } = behaviour?.exits ?? { count: 0, all: 0 };
    sheet.weigh("exit.alone", alone, "the evidence of such an exit without a history");
    sheet.read("exit.count", count, "the user's sessions that came through an exit");
    sheet.read("exit.all", all, "of so many");
    sheet.weigh("exit.population", assumed, "the share of all sessions through an exit");
    sheet.compute(
      "exit.user",
      `(${trusted} * exit.population + exit.count) / (${trusted} + exit.all)`,
      "the share of the user's sessions through an exit",
    );
    sheet.compute(
      "exit.ratio",
      "exit.population / exit.user",
      "how much seldomer the user is there than others",
    );
    return `min(${max}, max(0, exit.alone + ln(exit.ratio)))`;
  };
}

const sharedAddress: Explain = (sheet, { evidence: { behaviour } }) => {
  const { minLogins, attackers: share, assumed, trust: trusted, max } = weights.sharedAddress;
  const { count, all } = behaviour?.relays ?? { count: 0, all: 0 };
  if (!sheet.has("relay.all")) {
    sheet.read("relay.count", count, "the user's sessions from such an address");
    sheet.read("relay.all", all, `of so many; below ${minLogins} they say nothing`);
    sheet.weigh("relay.attackers", share, "the share of attackers from such an address");
    sheet.compute(
      "relay.user",
      `(${trusted} * ${assumed} + relay.count) / (${trusted} + relay.all)`,
      "the share of the user's sessions from such an address",
    );
    sheet.compute("relay.ratio", "relay.attackers / relay.user", "the ratio of attacker to user");
  }
  return all < minLogins ? "0" : `min(${max}, max(0, ln(relay.ratio)))`;
};

/** At an address that the user's history knows, what others do says less. */
function lessAtHome(evidence: SessionEvidence, strength: string, factor: number): string {
  return isAtKnownAddress(evidence) ? `${factor} * ${strength}` : strength;
}

/** A signal that speaks of some kinds of attacker counts as far as the history leaves these kinds possible. */
function fitToHistory(sheet: Sheet, signal: ReasonName, alone: string, fit: string | null): string {
  const kinds = signalKinds[signal];
  if (fit === null || kinds === undefined) return alone;
  sheet.compute(`${signal}.alone`, alone, "the weight without a history");
  sheet.weigh(
    `${signal}.kinds`,
    attackerKinds.map((kind) => (kinds.includes(kind) ? 1 : 0)),
    "1: the signal speaks of this kind of attacker",
  );
  sheet.compute(
    `${signal}.fit`,
    `min(1, sum(${signal}.kinds * ${fit}) / sum(${signal}.kinds * attacker_share))`,
    "how much of these kinds the history leaves possible",
  );
  return `ln(${signal}.fit * exp(${signal}.alone) + 1 - ${signal}.fit)`;
}

const stuffing: Explain = (sheet, { evidence, fit }) => {
  const { address, prefix, atKnownAddress } = weights.stuffing;
  const { fromAddress, fromPrefix } = evidence.crowd ?? { fromAddress: 0, fromPrefix: 0 };
  sheet.read("stuffing.address_users", fromAddress, "users tried from the address in ten minutes");
  sheet.weigh("stuffing.address", findStep(address, fromAddress), "the weight of so many");
  sheet.read("stuffing.block_users", fromPrefix, "users tried from its block");
  sheet.weigh("stuffing.block", findStep(prefix, fromPrefix), "the weight of so many");
  const strength = "max(stuffing.address, stuffing.block)";
  return fitToHistory(
    sheet,
    "credential_stuffing",
    lessAtHome(evidence, strength, atKnownAddress),
    fit,
  );
};

const networkStuffing: Explain = (sheet, { evidence, fit }) => {
  const { users, fromNetwork, population } = evidence.networkCrowd ?? { users: 0, fromNetwork: 0 };
  const { steps, atKnownAddress } = weights.networkStuffing;
  const { count, all } = population ?? { count: 0, all: 0 };
  const name = "network_stuffing";
  sheet.read(`${name}.users`, users, "users tried in ten minutes in networks that are new to them");
  sheet.read(`${name}.from_network`, fromNetwork, "of them, those in the session's network");
  sheet.read(
    `${name}.from_block`,
    Math.max(0, (evidence.crowd?.fromPrefix ?? 0) - 1),
    "other users tried from the session's block, who count in another signal",
  );
  sheet.read(`${name}.population_count`, count, "sessions of the population from the network");
  sheet.read(`${name}.population_all`, all, "of so many");
  const assumed = assumeShare(evidence.network.facts?.kinds ?? []);
  sheet.compute(
    `${name}.expected`,
    `${name}.users * (${name}.population_count + ${trust.shares} * ${assumed}) / (${name}.population_all + ${trust.shares})`,
    "the users who are expected there",
  );
  sheet.compute(
    `${name}.excess`,
    `${name}.from_network - ${name}.from_block - ${name}.expected - 2 * ${name}.expected ^ 0.5`,
    "the users beyond what is expected and two standard deviations",
  );
  const excess = sheet.steps.at(-1)?.value ?? 0;
  sheet.weigh(`${name}.weight`, findStep(steps, excess), "the weight of so many");
  return fitToHistory(sheet, name, lessAtHome(evidence, `${name}.weight`, atKnownAddress), fit);
};

const manyNetworks: Explain = (sheet, { evidence }) => {
  const { blocks, networks, atKnownAddress } = weights.manyNetworks;
  const tried = evidence.triedFrom ?? { blocks: 0, networks: 0 };
  sheet.read("tried.blocks", tried.blocks, "blocks of the user's sessions in ten minutes");
  sheet.weigh("tried.block_weight", findStep(blocks, tried.blocks), "the weight of so many");
  sheet.read("tried.networks", tried.networks, "networks of the user's sessions in ten minutes");
  sheet.weigh("tried.network_weight", findStep(networks, tried.networks), "the weight of so many");
  return lessAtHome(evidence, "max(tried.block_weight, tried.network_weight)", atKnownAddress);
};

/** Fraud that shares several parts with the session counts by the strongest. */
function strongest(
  prefix: string,
  byPart: Readonly<Record<string, number>>,
  parts: readonly string[],
): Explain {
  return (sheet) => {
    for (const part of parts) {
      sheet.weigh(
        `${prefix}.${part}`,
        byPart[part] ?? 0,
        `the weight of the same ${part === "prefix" ? "address block" : part}`,
      );
    }
    return `max(${parts.map((part) => `${prefix}.${part}`).join(", ")})`;
  };
}

const dayMs = 24 * 60 * 60 * 1000;

const knownDevice: Explain = (sheet, { evidence: { device } }) => {
  const { now, longAgo, halfwayDays } = weights.knownDevice;
  sheet.read(
    "device.days",
    (device?.sinceVerifiedMs ?? 0) / dayMs,
    "days since a factor was verified on the device",
  );
  sheet.weigh("device.now", now, "the weight right after it");
  sheet.weigh("device.long_ago", longAgo, "the weight long after it");
  return `device.long_ago + (device.now - device.long_ago) * 2 ^ (-device.days / ${halfwayDays})`;
};

const threatList: Explain = (sheet, { evidence: { network } }) => {
  const lists = network.facts?.threatGrade ?? 0;
  const { threatListed } = weights;
  sheet.read("threat.lists", lists, "threat lists that name the address");
  sheet.weigh(
    "threat.weight",
    threatListed[Math.min(lists, threatListed.length) - 1] ?? 0,
    "the weight of so many",
  );
  return "threat.weight";
};

const velocity: Explain = (sheet, { evidence: { identity } }) => {
  const exceeded = velocityLimits.filter(
    ({ attempts }, index) => (identity.attempts[index] ?? 0) > attempts,
  );
  sheet.read("velocity.exceeded", exceeded.length, "limits of attempts that the user exceeded");
  return `velocity.exceeded * ${weights.velocity}`;
};

const recentFailures: Explain = (sheet, { evidence: { identity } }) => {
  sheet.read(
    "failures.count",
    identity.failedAttempts,
    `codes that failed, of which ${maxFailuresCounted} count`,
  );
  return `min(${maxFailuresCounted}, failures.count) * ${weights.failedAttempt}`;
};

const gradualChange: Explain = (_sheet, { evidence, settled, habits }) => {
  const { max, maxInOneNetwork } = weights.gradualChange;
  const bound = (evidence.networksSince ?? 0) > 1 ? max : maxInOneNetwork;
  return `max(0, min(${bound}, ${settled ?? "0"}) - ${habits})`;
};

const noKnownDevice: Explain = (_sheet, { habits }) => {
  const { alone, withHabits } = weights.noKnownDevice;
  return `max(0, min(${alone}, ${withHabits} - ${habits}))`;
};

const impossibleTravel: Explain = (_sheet, { travel: { others, room, isBinding } }) => {
  const { alone, withOthers } = weights.impossibleTravel;
  const least = isBinding ? `${withOthers} - ${others}` : "0";
  return room === null
    ? `max(${alone}, ${least})`
    : `max(min(${alone}, max(0, ${room})), ${least})`;
};

/** How each signal is explained; one that is not here states a rule, and adds nothing. */
export function explainersOf(
  evidence: SessionEvidence,
): Readonly<Partial<Record<ReasonName, Explain>>> {
  const { reported, network } = evidence;
  const { testResult } = network;
  return {
    tenant_deny_list: fixed(weights.tenantDenyList, "the weight of the tenant's deny list"),
    tenant_allow_list: fixed(weights.tenantAllowList, "the weight of the tenant's allow list"),
    threat_list: threatList,
    tor_exit: fixed(weights.torExit, "the weight of a Tor exit"),
    vpn: exit(weights.vpn),
    hosting_network: exit(weights.hostingWithBrowser),
    proxy: fixed(weights.proxy, "the weight of an open proxy"),
    scanner: fixed(weights.scanner, "the weight of a scanner"),
    privacy_relay: sharedAddress,
    reserved_address: sharedAddress,
    agent_empty: fixed(weights.agentEmpty, "the weight of an empty agent"),
    agent_headless: fixed(weights.agentHeadless, "the weight of an automated browser"),
    agent_scripted: fixed(weights.agentScripted, "the weight of a script"),
    agent_impossible: fixed(
      weights.agentImpossible,
      "the weight of an agent that contradicts itself",
    ),
    agent_switch: fixed(
      weights.agentSwitch,
      "the weight of another system or device within minutes",
    ),
    user_mismatch: fixed(weights.userMismatch, "the weight of another user_id"),
    locked: fixed(weights.locked, "the weight of a lock"),
    recent_failures: recentFailures,
    velocity,
    reported_fraud: strongest("reported", weights.reportedFraud, reported),
    nearby_fraud: strongest("nearby", weights.nearbyFraud, listNearbyParts(evidence)),
    credential_stuffing: stuffing,
    network_stuffing: networkStuffing,
    many_networks: manyNetworks,
    gradual_change: gradualChange,
    known_device: knownDevice,
    no_known_device: noKnownDevice,
    impossible_travel: impossibleTravel,
    ...(testResult === undefined
      ? {}
      : {
          test_address: fixed(
            weights.testAddress[testResult],
            "the fixed evidence of the test address",
          ),
        }),
  };
}

/** How well each kind of attacker fits the history, before signals that point to some of them. */
export function explainFit(sheet: Sheet, ratios: readonly string[]): string {
  sheet.begin("kinds");
  sheet.compute(
    "fit.weighed",
    ["attacker_share", ...ratios].join(" * "),
    "how common each kind of attacker is, times the ratios of the habits",
  );
  sheet.compute("fit", "fit.weighed / sum(fit.weighed)", "the same as parts of 1");
  return "fit";
}
