/**
 * Replays stored assessments under a draft of the policy: which recommendations would change? Scores
 * are computed anew from the stored inputs, so switched signals and lists count too.
 *
 * Addresses are not kept. A draft list finds an address by its keyed hash where an entry is a single
 * address or as wide as the hashed prefix, and by the entry it was found under before where a draft
 * entry covers that; other entries cannot be replayed, and are named in the answer.
 */

import type { SessionEvidence } from "../evidence.ts";
import { addressBits, type Network, parseNetwork } from "../network/address.ts";
import { type Recommendation, recommend, scoreOf } from "../score.ts";
import { prefixBits, hashSessionPart } from "../session-hashes.ts";
import { findReasons } from "../signals/reasons.ts";

export interface DraftPolicy {
  readonly challengeAt: number;
  readonly denyAt: number;
  readonly signalsOff: readonly string[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

interface DraftEntry {
  readonly text: string;
  readonly network: Network;
  /** Keyed hash of the entry itself. */
  readonly entry: string;
  /** Hash under which a session in it is kept; null: none is. */
  readonly hash: { readonly part: "address" | "prefix"; readonly value: string } | null;
}

/** A draft whose lists are ready to be compared. */
export interface Draft {
  readonly policy: DraftPolicy;
  readonly lists: Readonly<Record<"allow" | "deny", readonly DraftEntry[]>>;
  /** Entries that find only what was found under them before. */
  readonly notReplayable: readonly string[];
}

function parseEntry(key: Uint8Array, tenantId: string, text: string): DraftEntry[] {
  const network = parseNetwork(text);
  if (network === undefined) return [];
  const [address = "", length = ""] = network.text.split("/");
  const entry = hashSessionPart(key, tenantId, "list_entry", network.text);
  const hashAs = (part: "address" | "prefix", named: string): DraftEntry[] => [
    { text, network, entry, hash: { part, value: hashSessionPart(key, tenantId, part, named) } },
  ];
  if (Number(length) === addressBits(network.family)) return hashAs("address", address);
  if (Number(length) === prefixBits[network.family]) return hashAs("prefix", network.text);
  return [{ text, network, entry, hash: null }];
}

/** @param key ADDRESS_HASH_KEY */
export function prepareDraft(key: Uint8Array, tenantId: string, policy: DraftPolicy): Draft {
  const entries = (list: readonly string[]) =>
    list.flatMap((text) => parseEntry(key, tenantId, text));
  const lists = { allow: entries(policy.allow), deny: entries(policy.deny) };
  const notReplayable = [...lists.deny, ...lists.allow]
    .filter(({ hash }) => hash === null)
    .map(({ text }) => text);
  return { policy, lists, notReplayable };
}

function covers(outer: Network, inner: Network | undefined): boolean {
  return (
    inner !== undefined &&
    outer.family === inner.family &&
    outer.first <= inner.first &&
    inner.last <= outer.last
  );
}

function findListEntry(
  { lists }: Draft,
  { network: { tenantList, ...hashes } }: SessionEvidence,
): SessionEvidence["network"]["tenantList"] {
  const foundUnder = parseNetwork(tenantList?.network ?? "");
  const found = (entries: readonly DraftEntry[]) =>
    entries.find(
      (entry) =>
        entry.entry === tenantList?.entry ||
        covers(entry.network, foundUnder) ||
        (entry.hash !== null && hashes[entry.hash.part] === entry.hash.value),
    );
  const denied = found(lists.deny);
  const listed = denied ?? found(lists.allow);
  if (listed === undefined) return null;
  return { list: denied === undefined ? "allow" : "deny", entry: listed.entry, network: null };
}

export interface Outcome {
  readonly riskScore: number;
  readonly recommendation: Recommendation;
}

/** What the draft would have made of a session. */
export function replay(draft: Draft, evidence: SessionEvidence): Outcome {
  const network = { ...evidence.network, tenantList: findListEntry(draft, evidence) };
  const { policy } = draft;
  const riskScore = scoreOf(findReasons({ ...evidence, network }, policy.signalsOff));
  return { riskScore, recommendation: recommend(riskScore, policy) };
}
