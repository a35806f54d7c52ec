/**
 * Everything a score is made from (pure): stored with each assessment, so that the score can be
 * computed again from it and nothing else.
 */
import { z } from "zod";
import type { AgentKind } from "./agent.ts";
import { contextSchema, levels } from "./context.ts";
import { networkKinds } from "./network/network-facts.ts";

const agentKinds = [
  "empty",
  "headless",
  "scripted",
  "impossible",
  "browser",
  "application",
] as const satisfies readonly AgentKind[];

const count = z.int().min(0);
/** Some, and all of them. */
const countedSchema = z.object({ count, all: count });

/** Facts about the address, gathered beside the call of the guard. */
const networkEvidenceSchema = z.object({
  /** What the imported lists know of the address; null: nothing. */
  facts: z
    .object({
      kinds: z.array(z.enum(networkKinds)).readonly(),
      threatGrade: z.int().min(0).max(15),
      asn: z.int().optional(),
      country: z.string().optional(),
    })
    .nullable(),
  /** Keyed hashes of address and block, hex: for the tenant's lists, also where nothing is learned. */
  address: z.string(),
  prefix: z.string(),
  /** Name of the special range, such as `private`; null for an ordinary address. */
  reservedRange: z.string().nullable(),
  /** The entry of the tenant's own lists that the address is in. */
  tenantList: z
    .object({
      list: z.enum(["allow", "deny"]),
      /** Keyed hash of the entry, hex. */
      entry: z.string(),
      /** The entry, where it is wider than a block: addresses are not kept. */
      network: z.string().nullable(),
    })
    .nullable(),
});
export type NetworkEvidence = Readonly<z.infer<typeof networkEvidenceSchema>>;

/** Facts about the identity, from its guard. */
const identityEvidenceSchema = z.object({
  failedAttempts: count,
  locked: z.boolean(),
  /** Attempts (codes and assessments) in each window of `velocityLimits`. */
  attempts: z.array(count).readonly(),
});
export type IdentityEvidence = Readonly<z.infer<typeof identityEvidenceSchema>>;

/** One level of a hierarchy, among the sessions that agree on all coarser ones. */
const levelEvidenceSchema = z.object({
  level: z.enum(levels),
  /** Whether the history has the value. */
  seen: z.boolean(),
  /** Its share of the history, 0 to 1; recent sessions weigh more. */
  own: z.number().min(0).max(1),
  /** Sessions of the population with the value (where it is new: with any value seen). */
  population: countedSchema,
  /** Sessions of the history that were new on this level, and all that could have been. */
  ownNovelty: countedSchema,
  /** Sessions of the population that were new, after as long a time and as many logins. */
  novelty: countedSchema,
});
/** Some of all that could be. */
export type Counted = Readonly<z.infer<typeof countedSchema>>;
export type LevelEvidence = Readonly<z.infer<typeof levelEvidenceSchema>>;

/** How the session compares with the identity's confirmed history. */
export const behaviourEvidenceSchema = z.object({
  /** Confirmed sessions it was compared with. */
  logins: z.int().min(1),
  /** Time since the newest of them. */
  sinceLastMs: count,
  /** Coarse to fine, up to the first that is new; levels nobody can compare are left out. */
  network: z.array(levelEvidenceSchema).readonly(),
  agent: z.array(levelEvidenceSchema).readonly(),
  /** How usual the hour of the week is: 1 where every hour is like every other. */
  hour: z.object({ own: z.number().min(0), population: z.number().min(0) }),
});
export type BehaviourEvidence = Readonly<z.infer<typeof behaviourEvidenceSchema>>;

/** Identities tried from one address, and from its prefix, in ten minutes. */
const crowdSchema = z.object({ fromAddress: count, fromPrefix: count });
export type Crowd = Readonly<z.infer<typeof crowdSchema>>;

const travelSchema = z.object({ kilometres: z.number(), hours: z.number() });

export const reportedParts = ["address", "prefix", "agent"] as const;

export const dataSources = ["ip_reputation", "population", "address_activity"] as const;
/** What an assessment draws on besides the identity itself. */
export type DataSource = (typeof dataSources)[number];

export const sessionEvidenceSchema = z.object({
  context: contextSchema,
  network: networkEvidenceSchema,
  agent: z.enum(agentKinds),
  /** The agent's system or device is not that of another session at the address minutes ago. */
  agentSwitched: z.boolean(),
  /** The session's user id was sent and is not this identity's external_id. */
  userMismatch: z.boolean(),
  identity: identityEvidenceSchema,
  /** Null for an identity without confirmed sessions. */
  behaviour: behaviourEvidenceSchema.nullable(),
  /** Null where nobody could travel that fast. */
  travel: travelSchema.nullable(),
  /** What the session shares with sessions of this identity that were reported as fraud. */
  reported: z.array(z.enum(reportedParts)).readonly(),
  /** Null where it could not be asked. */
  crowd: crowdSchema.nullable(),
});
/** Everything a score is computed from. */
export type SessionEvidence = Readonly<z.infer<typeof sessionEvidenceSchema>>;
