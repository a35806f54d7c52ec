/** The phases of a tenant's move from one database to another (pure), in their order. */

export const relocationPhases = [
  /** The tenant's data is fenced in both databases: nobody writes it any more. */
  "leaving",
  /** What an earlier life of the tenant left in the new database is removed. */
  "clearing",
  "copying",
  /** Every row is compared. One that differs starts the copy anew. */
  "comparing",
  /** The old database is closed to readers too; then the tenant's record names the new one. */
  "switching",
  /** The fence of the new database falls. */
  "opening",
  /** After a while, the rows in the old database go. */
  "cleaning",
  "done",
] as const;
export type RelocationPhase = (typeof relocationPhases)[number];
