/** What the code for a type of receiver does: it writes events and the request that carries them. */
import type { ShownEvent } from "../../audit/show-event.ts";
import type { OutgoingRequest } from "../request/post.ts";

/** The leaf indexes of a batch, both inclusive. */
export interface LeafRange {
  readonly first: number;
  readonly last: number;
}

export interface BatchWriter {
  /** @returns an entry of the body */
  writeEvent(event: ShownEvent): string;
  /** @param entries at least one */
  createRequest(entries: readonly string[], range: LeafRange): Promise<OutgoingRequest>;
}

/** The name under which receivers file the events. */
export const sourceName = "edge-idp";

/** A path below the base that the tenant has given. */
export function joinPath(base: string, path: string): string {
  return `${base.replace(/\/+$/, "")}${path}`;
}
