/**
 * Everything that a score is computed from (pure). It is stored with each assessment, so that the score can
 * be computed again from it alone. Stored values depend on the order of the fields and names in these schemas
 * (see stored-assessment.ts): only append, and only optional fields.
 */
import { z } from "zod";
import type { AgentKind } from "./agent.ts";
import { contextSchema, levels } from "./context.ts";
import { type DataKind, networkKinds } from "./network/network-facts.ts";
import { recommendations } from "./score.ts";

export const agentKinds = [
  "empty",
  "headless",
  "scripted",
  "impossible",
  "browser",
  "application",
] as const satisfies readonly AgentKind[];

const count = z.int().min(0);
/** A count, and the total that it is a part of. */
const countedSchema = z.object({ count, all: count });

/**
 * How often the user was new on a level, and how often anybody would have been at those times, in hundredths. Sessions
 * on another platform count less.
 */
const changesSchema = z.object({ observed: count, expected: count });

/** Facts about the address. The edge reads them while it calls the guard. */
const networkEvidenceSchema = z.object({
  /** What the network data says about the address; null: nothing. */
  facts: z
    .object({
      kinds: z.array(z.enum(networkKinds)).readonly(),
      threatGrade: z.int().min(0).max(15),
      asn: z.int().optional(),
      country: z.string().optional(),
    })
    .nullable(),
  /** Keyed hashes of the whole address and its block, hex. A replay finds entries of the tenant's lists by them. */
  address: z.string(),
  prefix: z.string(),
  /** Name of the special range, such as `private`; null for an ordinary address. */
  reservedRange: z.string().nullable(),
  /** The entry of the tenant's own lists that contains the address. */
  tenantList: z
    .object({
      list: z.enum(["allow", "deny"]),
      /** Keyed hash of the entry, hex. */
      entry: z.string(),
      /** The entry in plain text, if it is wider than a block; narrower ones are not stored. */
      network: z.string().nullable(),
    })
    .nullable(),
  /** The fixed result, if the address is a test address and the tenant a test tenant. */
  testResult: z.enum(recommendations).optional(),
});
export type NetworkEvidence = Readonly<z.infer<typeof networkEvidenceSchema>>;

/** Facts about the identity, from its guard. */
const identityEvidenceSchema = z.object({
  failedAttempts: count,
  locked: z.boolean(),
  /** Attempts (codes and assessments) in each window of `velocityLimits`. */
  attempts: z.array(count).readonly(),
  /** Set if the user was locked or suspended. Older builds did not set it, and their rules did not use it. */
  status: z.enum(["locked", "suspended"]).optional(),
});
export type IdentityEvidence = Readonly<z.infer<typeof identityEvidenceSchema>>;

/** One level of a hierarchy, compared with the sessions that agree on all coarser levels. */
const levelEvidenceSchema = z.object({
  level: z.enum(levels),
  /** Whether the history contains the value. */
  seen: z.boolean(),
  /** Its share of the history, 0 to 1; recent sessions weigh more. */
  own: z.number().min(0).max(1),
  /** Sessions of the population with the value or, if it is new, with any value of the history. */
  population: countedSchema,
  /** Sessions of the history that were new on this level, of all that could have been. */
  ownNovelty: countedSchema,
  /** Sessions of the population that were new, of those after a similar time and number of logins. */
  novelty: countedSchema,
  /** Absent before sentinel-3, as all that follows, and where the hierarchy is known in everything. */
  changes: changesSchema.optional(),
  /** If the value is known: sessions of the population with any value of the history. */
  known: countedSchema.optional(),
  /** How usual the value is beside that of an average session, at most 1; absent if it is 1. */
  usual: z.number().min(0).max(1).optional(),
  /** Whether a new version is above all known versions of the browser, or not. */
  step: z.enum(["newer", "older"]).optional(),
  /** Sessions of the population whose block was new to their users: of those in this block, and of all. */
  block: z.object({ here: countedSchema, everywhere: countedSchema }).optional(),
});
export type Counted = Readonly<z.infer<typeof countedSchema>>;
export type LevelEvidence = Readonly<z.infer<typeof levelEvidenceSchema>>;

/** A level that is below the first new one: how often a login of this user is new there. */
const finerLevelSchema = levelEvidenceSchema.pick({ level: true, novelty: true, changes: true });
export type FinerLevel = Readonly<z.infer<typeof finerLevelSchema>>;

const courseSchema = z.object({ logins: count, sinceMs: count, bucket: count });

/** How the session compares with the identity's confirmed history. */
export const behaviourEvidenceSchema = z.object({
  /** Number of confirmed sessions that it was compared with. */
  logins: z.int().min(1),
  /** Time since the newest of them, ms. */
  sinceLastMs: count,
  /** From coarse to fine, up to the first new level. Levels that cannot be compared are left out. */
  network: z.array(levelEvidenceSchema).readonly(),
  agent: z.array(levelEvidenceSchema).readonly(),
  /** How common logins are at this hour of the week; 1 is the average hour. */
  hour: z.object({ own: z.number().min(0), population: z.number().min(0) }),
  /**
   * What was known before the session, on its platform and on all: sessions in hundredths, where a weakly confirmed
   * one is a part of one, and the time since the last. `bucket` is that of the population's counts.
   */
  courses: z.object({ network: courseSchema, agent: courseSchema }).optional(),
  /** Sessions that came through an exit (VPN, proxy, hosting network, relay), and those through a relay. */
  exits: countedSchema.optional(),
  relays: countedSchema.optional(),
  /** How many of the sessions are weakly confirmed. */
  weak: count.optional(),
  /**
   * How many levels of each hierarchy confirmed sessions know as well, from coarse to fine. Absent if they know as much
   * as all sessions do, and if no session is confirmed but weakly.
   */
  confirmedLevels: z.object({ network: count, agent: count }).optional(),
  /** The levels below the first new ones; absent if there are none. */
  finer: z
    .object({
      network: z.array(finerLevelSchema).readonly(),
      agent: z.array(finerLevelSchema).readonly(),
    })
    .optional(),
  /** What the request says of the client, field by field; absent if no field can be compared. */
  client: z.array(levelEvidenceSchema).readonly().optional(),
});
export type BehaviourEvidence = Readonly<z.infer<typeof behaviourEvidenceSchema>>;

/** Distinct identities tried from one address, and from its block, in ten minutes. */
const crowdSchema = z.object({ fromAddress: count, fromPrefix: count });
export type Crowd = Readonly<z.infer<typeof crowdSchema>>;

/** Whether the session comes from a known device of the user. The token of the device is never stored. */
const deviceEvidenceSchema = z.object({
  known: z.boolean(),
  id: z.string().optional(),
  /** Time since a factor was verified on the device, ms. */
  sinceVerifiedMs: count.optional(),
});
export type DeviceEvidence = Readonly<z.infer<typeof deviceEvidenceSchema>>;

/** Distinct users tried in ten minutes from networks that are new to them. */
const networkCrowdSchema = z.object({
  users: count,
  /** Those from the session's autonomous system, or from its /32 if these are more. */
  fromNetwork: count,
  /** Sessions of the population from the autonomous system. The guard adds them. */
  population: countedSchema.optional(),
});
export type NetworkCrowd = Readonly<z.infer<typeof networkCrowdSchema>>;

/** Distinct address blocks, and autonomous systems, of the user's sessions in ten minutes, this one included. */
const triedFromSchema = z.object({ blocks: count, networks: count });
export type TriedFrom = Readonly<z.infer<typeof triedFromSchema>>;

const travelSchema = z.object({ kilometres: z.number(), hours: z.number() });

export const reportedParts = ["address", "prefix", "agent"] as const;

const nearbyFraudSchema = z.array(z.enum(reportedParts)).readonly();
export type NearbyFraud = z.infer<typeof nearbyFraudSchema>;

/**
 * `ip_reputation` is in assessments of earlier builds only, where it stands for all kinds of network data. Stored
 * assessments depend on this order: only append.
 */
export const dataSources = [
  "ip_reputation",
  "population",
  "address_activity",
  "geography",
  "hosting",
  "vpn",
  "tor",
  "proxy",
  "relay",
  "cloud",
  "crawler",
  "scanner",
  "threat",
] as const satisfies readonly (DataKind | "ip_reputation" | "population" | "address_activity")[];
/** Data that an assessment reads besides the guard of the identity. */
export type DataSource = (typeof dataSources)[number];

export const sessionEvidenceSchema = z.object({
  context: contextSchema,
  network: networkEvidenceSchema,
  agent: z.enum(agentKinds),
  /** Another session of this user had the same address, but another system or device, minutes ago. */
  agentSwitched: z.boolean(),
  /** The request had a user id, and it is not this identity's external_id. */
  userMismatch: z.boolean(),
  identity: identityEvidenceSchema,
  /** Null for an identity without confirmed sessions. */
  behaviour: behaviourEvidenceSchema.nullable(),
  /** Distance and time since the last confirmed session; null if the journey is possible. */
  travel: travelSchema.nullable(),
  /** The parts that the session shares with sessions of this identity reported as fraud. */
  reported: z.array(z.enum(reportedParts)).readonly(),
  /** Null if the prefix watch gave no answer. */
  crowd: crowdSchema.nullable(),
  /** Set if the user has known devices. */
  device: deviceEvidenceSchema.optional(),
  /** How the session compares with what was known a week ago, if the history has come closer to it since. */
  settled: behaviourEvidenceSchema.optional(),
  /** Set if the tenant watch lists the session's network. */
  networkCrowd: networkCrowdSchema.optional(),
  /** Set if there is more than one block. */
  triedFrom: triedFromSchema.optional(),
  /** The parts that the session shares with sessions of the tenant that were reported as fraud within a day. */
  nearbyFraud: nearbyFraudSchema.optional(),
  /** Set with `settled`: the autonomous systems that the history has learned since. */
  networksSince: count.optional(),
});
export type SessionEvidence = Readonly<z.infer<typeof sessionEvidenceSchema>>;
