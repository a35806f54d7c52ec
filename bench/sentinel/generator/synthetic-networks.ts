/**
 * Synthetic networks, for a run without a download. Their sizes are distributed like those of real networks.
 * Their addresses exist in reality, but nothing is ever sent to them.
 */
import { publishedCountries } from "../published.ts";
import type { NetworkTable, Provider } from "./networks.ts";

const otherCountries = [
  "SE",
  "DK",
  "FI",
  "GB",
  "FR",
  "PL",
  "ES",
  "IT",
  "NL",
  "IN",
  "CN",
  "JP",
  "CA",
  "MX",
];
const providersPerCountry = 12;
/** The largest has a /11. Each further one has half of the previous one, and at least a /18. */
const largestBits = 21;
const smallestBits = 14;
const firstAddress = 20 * 2 ** 24;
/** Numbers for private use (RFC 6996). */
const firstAsn = 64512;
const hosterCount = 24;
const hosterBits = 16;

export function createSyntheticNetworks(): NetworkTable {
  const providers: Provider[] = [];
  let start = firstAddress;
  for (const country of [...Object.keys(publishedCountries), ...otherCountries]) {
    for (let index = 0; index < providersPerCountry; index += 1) {
      const addresses = 2 ** Math.max(smallestBits, largestBits - index);
      const asn = firstAsn + providers.length;
      const half = addresses / 2;
      const ranges = [[start, half] as const, [start + half, half] as const];
      providers.push({ asn, country, addresses, ranges });
      start += addresses;
    }
  }
  const hosters = Array.from({ length: hosterCount }, (_, index): Provider => {
    const addresses = 2 ** hosterBits;
    const country = ["US", "DE", "NL", "FR", "RU", "NO"][index % 6] ?? "US";
    const from = start + index * addresses;
    return {
      asn: firstAsn + providers.length + index,
      country,
      addresses,
      ranges: [[from, addresses]],
    };
  });
  return { source: "synthetic networks", providers, hosters };
}
