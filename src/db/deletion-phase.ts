/** The phases of a tenant's deletion (pure), in order. */

export const deletionPhases = [
  /** Makes the guard of each identity erase it. */
  "erasing",
  /** Erases identities that arrived late, and then closes the database to identities. */
  "fencing",
  /** Deletes the tokens and what is kept of requests. */
  "revoking",
  /** Once no isolate knows a token any more: clears the tenant's other objects, and its counts in KV. */
  "clearing",
  /** Deletes the remaining rows in every database. */
  "removing",
  /** Files the last event, and closes the trail. */
  "closing",
  /** Waits for a tree head that covers the last event. */
  "sealing",
  "done",
] as const;
export type DeletionPhase = (typeof deletionPhases)[number];
