/**
 * The public lists that a deployment can have refreshed on a schedule (pure). Deployments configure them by
 * name, so a feed may be added or removed but never renamed.
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
  /** Roughly how often the publisher changes it. It is not fetched more often. */
  readonly refreshHours: number;
}

const networksFormat = "networks";
const addressesFormat = "addresses";
const jsonFormat = "networks in lines of JSON";
const countedAddressesFormat = "addresses with the number of lists";

function createX4bFeed(name: string, kind: NetworkKind, path: string): CatalogueFeed {
  const address = `https://raw.githubusercontent.com/X4BNet/lists_vpn/main/output/${path}`;
  return { name, kind, address, format: networksFormat, licence: "MIT", refreshHours: 24 };
}

/** The feeds of one provider of lord-alfred/ipranges. Not every provider has an IPv6 list. */
function createProviderFeeds(
  name: string,
  kind: NetworkKind,
  families: readonly (4 | 6)[],
): CatalogueFeed[] {
  const folder = `https://raw.githubusercontent.com/lord-alfred/ipranges/main/${name}`;
  return families.map((family) => ({
    name: `${name}-v${family}`,
    kind,
    address: `${folder}/ipv${family}_merged.txt`,
    format: networksFormat,
    licence: "CC0-1.0",
    refreshHours: 24,
  }));
}

function createShadowWhispererFeed(name: string, kind: NetworkKind, file: string): CatalogueFeed {
  const address = `https://raw.githubusercontent.com/ShadowWhisperer/IPs/master/Lists/${file}`;
  return { name, kind, address, format: addressesFormat, licence: "Unlicense", refreshHours: 24 };
}

/** The terms ask for at most one download an hour. */
function createSpamhausFeed(family: 4 | 6): CatalogueFeed {
  return {
    name: `spamhaus-drop-v${family}`,
    kind: "threat",
    address: `https://www.spamhaus.org/drop/drop_v${family}.json`,
    format: jsonFormat,
    licence: "Spamhaus DROP terms (https://www.spamhaus.org/drop/terms/)",
    refreshHours: 24,
  };
}

export const catalogue: readonly CatalogueFeed[] = [
  {
    name: "ipsum",
    kind: "threat",
    address: "https://raw.githubusercontent.com/stamparm/ipsum/master/ipsum.txt",
    format: countedAddressesFormat,
    licence: "Unlicense",
    refreshHours: 24,
  },
  createShadowWhispererFeed("shadowwhisperer-threats", "threat", "Threats"),
  createShadowWhispererFeed("shadowwhisperer-scanners", "scanner", "Scanners"),
  createShadowWhispererFeed("shadowwhisperer-tunnels", "proxy", "Tunnels"),
  {
    name: "tor-exits",
    kind: "tor",
    address: "https://check.torproject.org/torbulkexitlist",
    format: addressesFormat,
    licence: "CC0-1.0",
    refreshHours: 1,
  },
  createSpamhausFeed(4),
  createSpamhausFeed(6),
  createX4bFeed("x4b-vpn-v4", "vpn", "vpn/ipv4.txt"),
  createX4bFeed("x4b-vpn-v6", "vpn", "vpn/ipv6.txt"),
  createX4bFeed("x4b-datacenter-v4", "hosting", "datacenter/ipv4.txt"),
  createX4bFeed("x4b-datacenter-v6", "hosting", "datacenter/ipv6.txt"),
  ...createProviderFeeds("amazon", "cloud", [4, 6]),
  ...createProviderFeeds("cloudflare", "cloud", [4, 6]),
  ...createProviderFeeds("digitalocean", "cloud", [4, 6]),
  ...createProviderFeeds("github", "cloud", [4, 6]),
  ...createProviderFeeds("google", "cloud", [4, 6]),
  ...createProviderFeeds("linode", "cloud", [4, 6]),
  ...createProviderFeeds("microsoft", "cloud", [4, 6]),
  ...createProviderFeeds("oracle", "cloud", [4]),
  ...createProviderFeeds("vultr", "cloud", [4, 6]),
  ...createProviderFeeds("bing", "crawler", [4]),
  ...createProviderFeeds("facebook", "crawler", [4, 6]),
  ...createProviderFeeds("googlebot", "crawler", [4, 6]),
  ...createProviderFeeds("openai", "crawler", [4]),
  ...createProviderFeeds("apple-proxy", "relay", [4, 6]),
  ...createProviderFeeds("protonvpn", "vpn", [4]),
];

/**
 * The feeds that a configuration names, and its names that are not in the catalogue.
 * @param names separated by commas
 */
export function parseConfiguredFeeds(names: string): {
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
