/** What the verifier finds. */

export interface Problem {
  /** The leaf; null for a problem of the whole trail. */
  readonly leaf: number | null;
  readonly kind:
    | "malformed"
    | "missing"
    | "order"
    | "changed"
    | "moved"
    | "tree"
    | "personal"
    | "rewritten"
    | "checkpoint"
    | "key";
  readonly message: string;
}

/** A checkpoint with a valid signature. */
export interface SignedCheckpoint {
  /** What the signed note says. */
  readonly head: {
    /** The name of the log; it ends in the id of the tenant. */
    readonly origin: string;
    /** How many leaves the checkpoint covers. */
    readonly size: number;
    /** The root of the tree, 32 bytes. */
    readonly root: Uint8Array;
    /** Unix ms. */
    readonly signedAt: number;
  };
  /** The key that signed it: raw Ed25519, base64. */
  readonly publicKey: string;
}

/** About two checkpoints, or one. */
export interface CheckpointVerdict {
  readonly ok: boolean;
  /** Empty if all is verified. */
  readonly problems: readonly Problem[];
  /** Undefined if it is not valid. */
  readonly newest: SignedCheckpoint | undefined;
  /** Undefined if it is not valid, or none was given. */
  readonly older: SignedCheckpoint | undefined;
}

/** About a bundle. */
export interface BundleVerdict extends CheckpointVerdict {
  /** Whether only the bundle itself says which keys are those of the service. Compare `newest.publicKey` then. */
  readonly trustsBundle: boolean;
}

/** About a whole trail. */
export interface Verdict extends CheckpointVerdict {
  /** Leaves read from the export. No signature covers those from `newest.head.size` on. */
  readonly leaves: number;
}
