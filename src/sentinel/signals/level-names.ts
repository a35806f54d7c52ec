/** The levels in the sentences of reasons (pure). */
import type { Level } from "../context.ts";

export const levelNames: Readonly<Record<Level, string>> = {
  country: "country",
  asn: "network",
  pool: "pool of addresses",
  prefix: "address block",
  address: "address",
  device: "kind of device",
  os: "operating system",
  family: "browser",
  browser: "browser version",
  agent: "user agent",
  timeZone: "time zone",
  acceptLanguage: "list of languages",
  clientHints: "set of client hints",
  ja4: "TLS fingerprint",
};

/** "country, network and address". */
export function joinNames(names: readonly string[]): string {
  const others = names.slice(0, -1);
  const last = names.at(-1) ?? "";
  return others.length > 0 ? `${others.join(", ")} and ${last}` : last;
}
