/** Counts of the records in a database, by the keys that they need (pure). */

export interface RecordCounts {
  /** Identities that are not erased. */
  readonly identities: number;
  /** Those of them with a box that is not under the newest sealing key. */
  readonly underOlderKeys: number;
  /** Sets of backup codes, by the version of their key. */
  readonly codeSets: Readonly<Record<string, number>>;
}

export const noRecords: RecordCounts = { identities: 0, underOlderKeys: 0, codeSets: {} };

export function addCounts(left: RecordCounts, right: RecordCounts): RecordCounts {
  const codeSets = { ...left.codeSets };
  for (const [version, sets] of Object.entries(right.codeSets)) {
    codeSets[version] = (codeSets[version] ?? 0) + sets;
  }
  return {
    identities: left.identities + right.identities,
    underOlderKeys: left.underOlderKeys + right.underOlderKeys,
    codeSets,
  };
}
