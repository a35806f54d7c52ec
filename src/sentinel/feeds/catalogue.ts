/**
 * The public lists that a deployment can have refreshed by the clock (pure). Names are written into
 * configurations: add and remove, but never rename.
 */
import type { NetworkKind } from "../network/network-facts.ts";

export interface CatalogueFeed {
  /** As in SENTINEL_FEEDS and in the list of feeds. */
  readonly name: string;
  readonly kind: NetworkKind;
  /** Always https. */
  readonly address: string;
  readonly format: string;
  readonly licence: string;
  /** How often its publisher changes it, roughly: asking more often is bad manners. */
  readonly refreshHours: number;
}

const networks = "networks";
const addresses = "addresses";
const countedAddresses = "addresses with the number of lists";

function x4b(name: string, kind: NetworkKind, path: string): CatalogueFeed {
  const address = `https://raw.githubusercontent.com/X4BNet/lists_vpn/main/output/${path}`;
  return { name, kind, address, format: networks, licence: "MIT", refreshHours: 24 };
}

/** One provider of lord-alfred/ipranges; not every one has IPv6. */
function provider(name: string, kind: NetworkKind, families: readonly (4 | 6)[]): CatalogueFeed[] {
  const folder = `https://raw.githubusercontent.com/lord-alfred/ipranges/main/${name}`;
  return families.map((family) => ({
    name: `${name}-v${family}`,
    kind,
    address: `${folder}/ipv${family}_merged.txt`,
    format: networks,
    licence: "CC0-1.0",
    refreshHours: 24,
  }));
}

function shadowWhisperer(name: string, kind: NetworkKind, file: string): CatalogueFeed {
  const address = `https://raw.githubusercontent.com/ShadowWhisperer/IPs/master/Lists/${file}`;
  return { name, kind, address, format: addresses, licence: "Unlicense", refreshHours: 24 };
}

export const catalogue: readonly CatalogueFeed[] = [
  {
    name: "ipsum",
    kind: "threat",
    address: "https://raw.githubusercontent.com/stamparm/ipsum/master/ipsum.txt",
    format: countedAddresses,
    licence: "Unlicense",
    refreshHours: 24,
  },
  shadowWhisperer("shadowwhisperer-threats", "threat", "Threats"),
  shadowWhisperer("shadowwhisperer-scanners", "scanner", "Scanners"),
  shadowWhisperer("shadowwhisperer-tunnels", "proxy", "Tunnels"),
  {
    name: "tor-exits",
    kind: "tor",
    address: "https://check.torproject.org/torbulkexitlist",
    format: addresses,
    licence: "CC0-1.0",
    refreshHours: 1,
  },
  x4b("x4b-vpn-v4", "vpn", "vpn/ipv4.txt"),
  x4b("x4b-vpn-v6", "vpn", "vpn/ipv6.txt"),
  x4b("x4b-datacenter-v4", "hosting", "datacenter/ipv4.txt"),
  x4b("x4b-datacenter-v6", "hosting", "datacenter/ipv6.txt"),
  ...provider("amazon", "cloud", [4, 6]),
  ...provider("cloudflare", "cloud", [4, 6]),
  ...provider("digitalocean", "cloud", [4, 6]),
  ...provider("github", "cloud", [4, 6]),
  ...provider("google", "cloud", [4, 6]),
  ...provider("linode", "cloud", [4, 6]),
  ...provider("microsoft", "cloud", [4, 6]),
  ...provider("oracle", "cloud", [4]),
  ...provider("vultr", "cloud", [4, 6]),
  ...provider("bing", "crawler", [4]),
  ...provider("facebook", "crawler", [4, 6]),
  ...provider("googlebot", "crawler", [4, 6]),
  ...provider("openai", "crawler", [4]),
  ...provider("apple-proxy", "relay", [4, 6]),
  ...provider("protonvpn", "vpn", [4]),
];

/** What a configuration names, and the names in it that are in no catalogue. */
export function configuredFeeds(names: string): {
  readonly feeds: readonly CatalogueFeed[];
  readonly unknown: readonly string[];
} {
  const wanted = new Set(
    names
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  );
  return {
    feeds: catalogue.filter(({ name }) => wanted.has(name)),
    unknown: [...wanted].filter((name) => catalogue.every((feed) => feed.name !== name)),
  };
}
