/**
 * The first attempt of a prefix watch, stored in the time of its alarm (pure): the lowest bits of the time are the
 * first digits of the identity's hash. So a block from which one user logs in costs the alarm and no row.
 */

/** Hex digits of a fingerprint. Two identities have the same one by a chance of 1 in 4,096. */
const digits = 3;
/** The alarm is later by this at most, about four seconds. */
const period = 16 ** digits;

export function fingerprintOf(identityId: string): string {
  return identityId.slice(0, digits);
}

export function isFingerprintOf(fingerprint: string, identityId: string): boolean {
  return fingerprintOf(identityId) === fingerprint;
}

/** The first time from `earliest` on that has the fingerprint. @param earliest Unix ms */
export function alarmTimeOf(earliest: number, fingerprint: string): number {
  const value = Number.parseInt(fingerprint, 16);
  return Math.ceil((earliest - value) / period) * period + value;
}

export function fingerprintIn(alarmAt: number): string {
  return (alarmAt % period).toString(16).padStart(digits, "0");
}
