/**
 * Replays stored assessments under a draft policy, to show which recommendations would change. Scores are
 * computed again from the stored evidence, so signals that the draft switches off, and its lists, count too.
 *
 * Assessments have no address in clear, so an entry of a draft list cannot be compared with one. An entry that
 * is a single address or a block (/24, /48) is compared with the keyed hashes of a session. Any entry is also
 * compared with the list entry that contained the session before: if it equals or covers that one, it contains
 * the session too. The answer names the entries without a hash, because they may miss sessions.
 */

import type { RiskPolicy } from "../assessment.ts";
import type { SessionEvidence } from "../evidence.ts";
import { addressBits, type Network, parseNetwork } from "../network/address.ts";
import { decodeEmbeddedNetwork } from "../network/embedded-ipv4.ts";
import type { Recommendation } from "../score.ts";
import { hashSessionPart, prefixBits } from "../session-hashes.ts";
import { judge } from "../signals/judgement.ts";

/** An entry of a draft's list, prepared for comparison. */
export interface DraftEntry {
  readonly text: string;
  readonly network: Network;
  /** Keyed hash of the entry itself. */
  readonly entry: string;
  /** The hash that a session in the entry has; null: the entry is of another width. */
  readonly hash: { readonly part: "address" | "prefix"; readonly value: string } | null;
}

/** A draft policy with its lists prepared for comparison. */
export interface Draft {
  readonly policy: RiskPolicy;
  readonly lists: Readonly<Record<"allow" | "deny", readonly DraftEntry[]>>;
  /** Entries of another width. They find only sessions that an earlier list entry contained. */
  readonly notReplayable: readonly string[];
}

/**
 * Prepares an entry of a list; undefined for a text that is no network.
 * @param key ADDRESS_HASH_KEY
 */
export async function prepareEntry(
  key: Uint8Array,
  tenantId: string,
  text: string,
): Promise<DraftEntry | undefined> {
  const parsed = parseNetwork(text);
  if (parsed === undefined) return undefined;
  const network = decodeEmbeddedNetwork(parsed);
  const [address = "", length = ""] = network.text.split("/");
  const entry = await hashSessionPart(key, tenantId, "list_entry", network.text);
  const withHash = async (part: "address" | "prefix", named: string): Promise<DraftEntry> => {
    const value = await hashSessionPart(key, tenantId, part, named);
    return { text, network, entry, hash: { part, value } };
  };
  if (Number(length) === addressBits(network.family)) return await withHash("address", address);
  if (Number(length) === prefixBits[network.family]) return await withHash("prefix", network.text);
  return { text, network, entry, hash: null };
}

/** @param lists the prepared entries of the policy's lists */
export function createDraft(policy: RiskPolicy, lists: Draft["lists"]): Draft {
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
  const storedEntry = parseNetwork(tenantList?.network ?? "");
  const found = (entries: readonly DraftEntry[]) =>
    entries.find(
      (entry) =>
        entry.entry === tenantList?.entry ||
        covers(entry.network, storedEntry) ||
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

/** The score and the recommendation of a session under the draft. */
export function replay(draft: Draft, evidence: SessionEvidence): Outcome {
  const network = { ...evidence.network, tenantList: findListEntry(draft, evidence) };
  const { policy } = draft;
  const { riskScore, recommendation } = judge({ ...evidence, network }, policy);
  return { riskScore, recommendation };
}
