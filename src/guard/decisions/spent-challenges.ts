/**
 * Which challenges an identity accepts no more (pure). Nothing is stored when a ceremony starts. An accepted answer
 * spends its challenge; what the guard no longer remembers of spent challenges, the floor refuses.
 */
import { challengeLifetimeMs, type OpenedChallenge } from "../../passkeys/challenge.ts";
import { noPasskeys, type PasskeyState } from "./passkey-state.ts";
import type { IdentityState } from "./state.ts";

const maxSpent = 32;

/** Refuses all challenges that were issued up to now. @param now Unix ms */
export function raiseFloor(state: PasskeyState | null, now: number): PasskeyState {
  const passkeys = state ?? noPasskeys;
  const floor = Math.max(passkeys.floor, now);
  // The clock that issued a challenge may be ahead.
  return { ...passkeys, spent: passkeys.spent.filter(({ issuedAt }) => issuedAt > floor), floor };
}

/** Whether the identity may accept the challenge: it is not spent, and of this life of the identity. */
export function isUnspent(
  { passkeys, createdAt }: IdentityState,
  { nonce, issuedAt }: OpenedChallenge,
): boolean {
  if (issuedAt < createdAt) return false;
  if (passkeys === null) return true;
  return issuedAt > passkeys.floor && !passkeys.spent.some((spent) => spent.nonce === nonce);
}

/**
 * Spends a challenge. The newest are kept until they expire. The floor rises to each that is dropped, so that even a
 * request that runs late does not find it unspent.
 */
export function spendChallenge(
  passkeys: PasskeyState,
  challenge: OpenedChallenge,
  now: number,
): PasskeyState {
  const newestFirst = [...passkeys.spent, challenge].toSorted((a, b) => b.issuedAt - a.issuedAt);
  const kept = newestFirst
    .slice(0, maxSpent)
    .filter(({ issuedAt }) => now < issuedAt + challengeLifetimeMs);
  const dropped = newestFirst.slice(kept.length).map(({ issuedAt }) => issuedAt);
  return { ...passkeys, spent: kept, floor: Math.max(passkeys.floor, ...dropped) };
}
