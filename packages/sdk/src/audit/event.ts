/** Events as the API shows them: their shape, the leaf that the log commits to, and their personal parts. */
import { digestPersonalParts, encodeLeaf } from "../../../../src/audit/leaf.ts";
import { hashLeaf } from "../../../../src/audit/tree/merkle.ts";
import type { AuditEvent } from "./answers.ts";
import { count, exactObject, flag, hash, nullable, plainValues, text } from "./shape.ts";

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

/** A line of the export. */
export const exportedEvent = exactObject({ ...members, leaf_hash: leafHash });

/** An event of the list, or of the export. */
export const listedEvent = exactObject(members, { leaf_hash: leafHash });

/** Computes the hash of the leaf from the event as it is shown. */
export function hashEvent(event: AuditEvent): Uint8Array {
  const { id, at, action, outcome, reason, request_id, details, personal_digest } = event;
  const actor = { type: event.actor.type, id: event.actor.id };
  const target = { type: event.target.type, id: event.target.id };
  const leaf = { id, at, actor, action, target, outcome, reason, request_id, details };
  return hashLeaf(encodeLeaf({ ...leaf, personal_digest }));
}

/** Checks the personal parts of an event, to which the leaf commits by their digest. */
export function findPersonalProblem(event: AuditEvent): string | undefined {
  const { actor, personal, personal_digest, target, erased } = event;
  if (target.external_id !== (personal?.external_id ?? null)) return "external_id is not its own";
  if ((actor.acting_for ?? null) !== (personal?.acting_for ?? null)) {
    return "acting_for is not its own";
  }
  if (personal === null && personal_digest !== null) {
    return erased ? undefined : "its personal parts were changed and open no more";
  }
  if (personal !== null && digestPersonalParts(personal) !== personal_digest) {
    return "its personal parts are not those that were sealed";
  }
  const expected = personal === null && target.type === "identity";
  return erased === expected ? undefined : "`erased` says the contrary of the rest";
}
