/** The phases of a relocation (pure), in order. */

export const relocationPhases = [
  /** Fences the tenant's data in both databases, so that nothing is written. */
  "leaving",
  /** Deletes rows that an earlier relocation left in the new database. */
  "clearing",
  /** Copies all rows. */
  "copying",
  /** Compares all rows. After a difference the relocation begins again, as a new attempt. */
  "comparing",
  /** Closes the old database to readers too, then writes the new shard into the tenant's record. */
  "switching",
  /** The same for a tenant that stays in its database, or goes back: nothing has to be copied. */
  "returning",
  /** Compares a summary of the rows once more, and removes the fence of the new database. */
  "opening",
  /** Deletes the rows in the old database, once no reader uses them any more. */
  "cleaning",
  "done",
] as const;
export type RelocationPhase = (typeof relocationPhases)[number];
