/**
 * What a tenant's watch knows of the last minutes and the last day (pure): from which networks users were tried that
 * do not know them, and the sessions that were reported as fraud. Both are bounded.
 */
import { z } from "zod";

export const attemptWindowMs = 10 * 60 * 1000;
export const fraudWindowMs = 24 * 60 * 60 * 1000;
/** Older attempts leave first: what counts is the share of one network among the newest. */
const maxAttempts = 1_000;
/** So that one identity, tried from everywhere, does not push the others out. */
const maxAttemptsOfIdentity = 4;
const maxFrauds = 100;
/** Fewer users from one network change no score, and are not listed. */
const minUsersListed = 5;

export const networkAttemptSchema = z.object({
  /** Keyed hash of the identity's id, hex. */
  identityId: z.string(),
  /** The autonomous system and, of an IPv6 address, the /32. */
  networks: z.array(z.string()).readonly(),
  /** Unix ms; the tenant's test clock if one was sent. */
  at: z.number(),
});
export type NetworkAttempt = Readonly<z.infer<typeof networkAttemptSchema>>;

/** Keyed hashes, hex. Null: not known, as in a session that an older build assessed. */
export const fraudReportSchema = z.object({
  /** Of the assessment's id. */
  id: z.string(),
  address: z.string().nullable(),
  prefix: z.string().nullable(),
  agent: z.string().nullable(),
  /** When it was reported, as in an attempt. */
  at: z.number(),
});
export type FraudReport = Readonly<z.infer<typeof fraudReportSchema>>;

/** What an assessment compares its session with. */
export interface TenantActivity {
  /** Distinct users in ten minutes, from all networks that are new to them. */
  readonly users: number;
  /** Of these, the users from each network that at least five came from. */
  readonly networks: readonly { readonly network: string; readonly users: number }[];
  readonly frauds: readonly FraudReport[];
}

/** Later times are in the window too: one request may overtake another. */
function isWithin(windowMs: number, now: number): (one: { readonly at: number }) => boolean {
  return ({ at }) => at > now - windowMs && at < now + windowMs;
}

export function addAttempt(
  attempts: readonly NetworkAttempt[],
  attempt: NetworkAttempt,
): readonly NetworkAttempt[] {
  const { identityId, networks, at } = attempt;
  const others = attempts
    .filter(isWithin(attemptWindowMs, at))
    .filter((one) => one.identityId !== identityId || one.networks.join() !== networks.join());
  const own = others.filter((one) => one.identityId === identityId);
  const isFull = own.length >= maxAttemptsOfIdentity;
  return isFull ? others : [...others, attempt].slice(-maxAttempts);
}

/** A session is reported once, whatever number of times the report arrives. */
export function addFraud(
  frauds: readonly FraudReport[],
  report: FraudReport,
): readonly FraudReport[] {
  const others = withoutFraud(frauds, report.id).filter(isWithin(fraudWindowMs, report.at));
  return [...others, report].slice(-maxFrauds);
}

export function withoutFraud(frauds: readonly FraudReport[], id: string): readonly FraudReport[] {
  return frauds.filter((one) => one.id !== id);
}

export function summarizeActivity(
  attempts: readonly NetworkAttempt[],
  frauds: readonly FraudReport[],
  now: number,
): TenantActivity {
  const users = new Set<string>();
  const byNetwork = new Map<string, Set<string>>();
  for (const { identityId, networks } of attempts.filter(isWithin(attemptWindowMs, now))) {
    users.add(identityId);
    for (const network of networks) {
      const known = byNetwork.get(network) ?? new Set();
      byNetwork.set(network, known.add(identityId));
    }
  }
  return {
    users: users.size,
    networks: [...byNetwork]
      .map(([network, { size }]) => ({ network, users: size }))
      .filter((one) => one.users >= minUsersListed),
    frauds: frauds.filter(isWithin(fraudWindowMs, now)),
  };
}
