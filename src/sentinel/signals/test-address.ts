/**
 * The test addresses (pure). In a test tenant a session from one of them has a fixed result at once, so that an
 * integrator can try every branch of a login. They are in 192.0.2.0/24, which belongs to nobody (RFC 5737).
 */
import type { Address } from "../network/address.ts";
import { createReason, type Reason } from "../reason.ts";
import { type Recommendation, recommendations } from "../score.ts";
import { weights } from "../weights.ts";

const testAddresses: Readonly<Record<Recommendation, string>> = {
  allow: "192.0.2.1",
  challenge: "192.0.2.2",
  deny: "192.0.2.3",
};

/** The fixed result of the address; undefined for an address that is not a test address. */
export function findTestResult({ text }: Pick<Address, "text">): Recommendation | undefined {
  return recommendations.find((result) => testAddresses[result] === text);
}

/** The only reason for the score of a session from a test address. */
export function createTestReason(result: Recommendation): Reason {
  const detail = `${testAddresses[result]} is a test address, and its fixed result is ${result}.`;
  return createReason("test_address", weights.testAddress[result], detail);
}
