/** Addresses that many people share, or nobody owns (pure). */
import type { NetworkEvidence } from "./evidence.ts";

/**
 * Whether the address is a privacy relay, a Tor exit or a reserved address. It is compared and learned like any other,
 * but to have been there before is weak evidence for the user, because others get there as easily.
 */
export function isSharedAddress({
  facts,
  reservedRange,
}: Pick<NetworkEvidence, "facts" | "reservedRange">): boolean {
  const kinds = facts?.kinds ?? [];
  return reservedRange !== null || kinds.includes("relay") || kinds.includes("tor");
}
