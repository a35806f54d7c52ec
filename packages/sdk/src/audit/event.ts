/** Events as the API shows them: their shape, the leaf that the log commits to, and their personal parts. */
import { digestPersonalParts, encodeLeaf, type Leaf } from "../../../../src/audit/leaf.ts";
import { hashLeaf } from "../../../../src/audit/tree/merkle.ts";
import { count, exactObject, flag, hash, nullable, plainValues, text } from "./shape.ts";

/** An event that has the shape below. */
export interface ShownEvent {
  readonly id: string;
  readonly at: string;
  readonly actor: {
    readonly type: string;
    readonly id: string | null;
    // Exports of older builds lack these two.
    readonly name?: string | null;
    readonly acting_for?: string | null;
  };
  readonly action: string;
  readonly target: {
    readonly type: string;
    readonly id: string;
    readonly external_id: string | null;
  };
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly details: Leaf["details"];
  readonly leaf_index: number;
  readonly personal: {
    readonly external_id?: string;
    readonly address?: string;
    readonly agent?: string;
    readonly acting_for?: string;
    readonly nonce: string;
  } | null;
  readonly personal_digest: string | null;
  readonly erased: boolean;
  /** Exports of older builds lack it. */
  readonly expired?: boolean;
}

export interface ExportedEvent extends ShownEvent {
  /** The hash that the service's tree has for the event; null if it has none. */
  readonly leaf_hash: string | null;
}

const members = {
  id: text,
  at: text,
  actor: exactObject(
    { type: text, id: nullable(text) },
    { name: nullable(text), acting_for: nullable(text) },
  ),
  action: text,
  target: exactObject({ type: text, id: text, external_id: nullable(text) }),
  outcome: text,
  reason: nullable(text),
  request_id: nullable(text),
  details: plainValues,
  leaf_index: count,
  personal: nullable(
    exactObject(
      { nonce: text },
      { external_id: text, address: text, agent: text, acting_for: text },
    ),
  ),
  personal_digest: nullable(hash),
  erased: flag,
};
const leafHash = nullable(hash);
const expired = flag;

/** The shape of an `ExportedEvent`: a line of the export. */
export const exportedEvent = exactObject({ ...members, leaf_hash: leafHash }, { expired });

/** The shape of a `ShownEvent`: one of the list, or of the export. */
export const shownEvent = exactObject(members, { leaf_hash: leafHash, expired });

/** Computes the hash of the leaf from the event as it is shown. */
export function hashEvent(event: ShownEvent): Uint8Array {
  const { id, at, action, outcome, reason, request_id, details, personal_digest } = event;
  const actor = { type: event.actor.type, id: event.actor.id };
  const target = { type: event.target.type, id: event.target.id };
  const leaf = { id, at, actor, action, target, outcome, reason, request_id, details };
  return hashLeaf(encodeLeaf({ ...leaf, personal_digest }));
}

/** Checks the personal parts of an event, to which the leaf commits by their digest. */
export function findPersonalProblem(event: ShownEvent): string | undefined {
  const { actor, personal, personal_digest, target, erased, expired: hasExpired = false } = event;
  if (target.external_id !== (personal?.external_id ?? null)) return "external_id is not its own";
  if ((actor.acting_for ?? null) !== (personal?.acting_for ?? null)) {
    return "acting_for is not its own";
  }
  if (hasExpired && (erased || personal !== null || personal_digest === null)) {
    return "`expired` says the contrary of the rest";
  }
  if (personal === null && personal_digest !== null) {
    return erased || hasExpired ? undefined : "its personal parts were changed and open no more";
  }
  if (personal !== null && digestPersonalParts(personal) !== personal_digest) {
    return "its personal parts are not those that were sealed";
  }
  const expected = personal === null && target.type === "identity";
  return erased === expected ? undefined : "`erased` says the contrary of the rest";
}
