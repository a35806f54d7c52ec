/** What the verifier reads of the answers of the API. They may have been saved, and they may have been edited. */

/** A signed tree head. Only the note counts; the other fields repeat it for people. */
export interface Checkpoint {
  readonly origin: string;
  readonly tree_size: number;
  readonly root_hash: string;
  readonly sealed_at: string;
  readonly public_key: string;
  readonly note: string;
}

/** The answer of `GET /v1/audit/checkpoint`, or the checkpoint in it, or one of `GET /v1/audit/checkpoints`. */
export type CheckpointAnswer = Checkpoint | { readonly checkpoint: Checkpoint };

export interface PublicKey {
  readonly algorithm: string;
  /** Raw Ed25519, base64. */
  readonly public_key: string;
}

/** The answer of `GET /v1/audit/keys`, or the keys in it. */
export type KeysAnswer = readonly PublicKey[] | { readonly keys: readonly PublicKey[] };

/** An event as `GET /v1/audit/events` lists it, or a line of `GET /v1/audit/export`. */
export interface AuditEvent {
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
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
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
  /** Only in the export: the hash that the service's tree has for the event; null if it has none. */
  readonly leaf_hash?: string | null;
}

/** The answer of `GET /v1/audit/events/{id}/proof`. */
export interface InclusionAnswer {
  readonly proof: {
    readonly event_id: string;
    readonly leaf_index: number;
    readonly leaf_hash: string;
    readonly tree_size: number;
    readonly hashes: readonly string[];
  };
  readonly checkpoint: Checkpoint;
}

export interface ConsistencyProof {
  readonly from: number;
  readonly to: number;
  readonly hashes: readonly string[];
}

/** The answer of `GET /v1/audit/consistency`, or the proof in it. */
export type ConsistencyAnswer = ConsistencyProof | { readonly proof: ConsistencyProof };
