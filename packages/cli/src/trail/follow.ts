/**
 * Follows a tenant's trail. Its events have leaf indexes without gaps, so the index of the next one is all that must be
 * known to miss none and to read none twice, whatever happens to the service and the connection meanwhile. The list of
 * events has no such order: one that arrives late stands among earlier ones.
 */
import { type EdgeIdp, type ExportedEvent, IdpError } from "@edge-idp/sdk";
import { Failure } from "../failure.ts";
import { isTemporary, repeatUntilDone } from "../temporary.ts";

const pageSize = 100;

export interface Following {
  readonly idp: EdgeIdp;
  /** Waits for further events; rejects when the signal ends the iteration. */
  readonly pause: () => Promise<void>;
  /** Ends the iteration. */
  readonly signal: AbortSignal;
}

/** The number of events in the tree; 0 for a trail without events. */
async function countLeaves({ idp, signal }: Following): Promise<number> {
  try {
    return (await idp.audit.checkpoint({ signal })).checkpoint.tree_size;
  } catch (error) {
    if (error instanceof IdpError && error.code === "not_found") return 0;
    throw error;
  }
}

/**
 * Finds a leaf before which no event arrived at or after the time: the size of the newest tree that was signed before.
 * @param since Unix ms
 */
async function findLeafBefore({ idp, signal }: Following, since: number): Promise<number> {
  for await (const head of idp.audit.checkpoints({ limit: pageSize }, { signal })) {
    if (Date.parse(head.sealed_at) < since) return head.tree_size;
  }
  return 0;
}

/** @param since Unix ms; undefined: the end of the trail @throws IdpError */
export async function findStart(following: Following, since: number | undefined): Promise<number> {
  return since === undefined
    ? await countLeaves(following)
    : await findLeafBefore(following, since);
}

/**
 * Reads the events from a leaf on as they arrive, without an end.
 * @throws IdpError if the service refuses to answer; Failure if the trail has become shorter; the reason of the signal
 */
export async function* followTrail(
  following: Following,
  start: number,
): AsyncGenerator<ExportedEvent> {
  const { idp, pause, signal } = following;
  let next = start;
  for (;;) {
    const size = await repeatUntilDone(() => countLeaves(following), { pause });
    if (size < next) {
      throw new Failure(
        `The trail had ${next} events, and has ${size} now: the service was restored to an earlier time, or the log was cut. Verify the trail with an older checkpoint.`,
      );
    }
    try {
      if (next < size) {
        for await (const event of idp.audit.export({ from: next, to: size }, { signal })) {
          next = event.leaf_index + 1;
          yield event;
        }
      }
    } catch (error) {
      // The events that arrived are valid, and the next round goes on after them.
      if (!isTemporary(error)) throw error;
    }
    await pause();
  }
}
