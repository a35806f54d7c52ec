/** What the page and the worker that verifies the trail say to each other. */

export interface VerifyRequest {
  readonly url: string;
  readonly token: string;
  /** The text of an earlier checkpoint. */
  readonly older: string | undefined;
}

export interface ShownVerdict {
  readonly isWhole: boolean;
  readonly leaves: number;
  readonly problems: readonly string[];
  readonly olderSize: number | undefined;
  readonly checkpoint:
    | {
        readonly log: string;
        readonly size: number;
        readonly root: string;
        readonly signedAt: number;
        readonly signedBy: string;
      }
    | undefined;
  readonly milliseconds: number;
}

export type VerifyAnswer =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "verdict"; readonly verdict: ShownVerdict }
  | { readonly kind: "failure"; readonly sentence: string };
