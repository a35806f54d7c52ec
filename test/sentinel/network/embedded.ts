/** Spellings of an IPv4 address as an IPv6 address, written from the RFCs. */
import fc from "fast-check";

function groupsOf(ipv4: string): readonly [string, string] {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
  return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
}

function invert(ipv4: string): string {
  return ipv4
    .split(".")
    .map((part) => 255 - Number(part))
    .join(".");
}

const embed: Readonly<Record<string, (ipv4: string, noise: readonly string[]) => string>> = {
  "IPv4-mapped (RFC 4291)": (ipv4) => `::ffff:${ipv4}`,
  "IPv4-compatible (RFC 4291)": (ipv4) => `::${ipv4}`,
  "IPv4-translated (RFC 2765)": (ipv4) => `::ffff:0:${ipv4}`,
  "6to4 (RFC 3056)": (ipv4, [a, b, c, d, e]) =>
    `2002:${groupsOf(ipv4).join(":")}:${a}:${b}:${c}:${d}:${e}`,
  "Teredo (RFC 4380)": (ipv4, [a, b, c, d]) =>
    `2001:0:${a}:${b}:${c}:${d}:${groupsOf(invert(ipv4)).join(":")}`,
  "NAT64 (RFC 6052)": (ipv4) => `64:ff9b::${ipv4}`,
  "local NAT64 (RFC 8215), /96": (ipv4, [a, b]) => `64:ff9b:1:${a}:0:${b}:${ipv4}`,
  "local NAT64 (RFC 8215), /48": (ipv4) => {
    const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
    const hex = (high: number, low: number) => (high * 256 + low).toString(16);
    return `64:ff9b:1:${hex(a, b)}:${hex(0, c)}:${hex(d, 0)}:0:0`;
  },
  "local NAT64 (RFC 8215), /56": (ipv4) => {
    const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
    const hex = (high: number, low: number) => (high * 256 + low).toString(16);
    return `64:ff9b:1:${hex(7, a)}:${hex(0, b)}:${hex(c, d)}:0:0`;
  },
  "local NAT64 (RFC 8215), /64": (ipv4) => {
    const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
    const hex = (high: number, low: number) => (high * 256 + low).toString(16);
    return `64:ff9b:1:707:${hex(0, a)}:${hex(b, c)}:${hex(d, 0)}:0`;
  },
};

export const embeddingNames = Object.keys(embed);

export function embedIpv4(name: string, ipv4: string, noise: readonly string[] = ["1", "2"]) {
  const groups = [...noise, "0", "0", "0", "0", "0"];
  return (embed[name] ?? ((text) => text))(ipv4, groups);
}

/** The address of a host: the last part is not 0, nor is the first, which is not multicast either. */
const hostAddress = fc
  .tuple(
    fc.integer({ min: 1, max: 223 }),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 1, max: 254 }),
  )
  .map((parts) => parts.join("."));

/** An IPv4 address, and another spelling of it. */
export const embeddedAddress = fc
  .tuple(
    hostAddress,
    fc.constantFrom(...embeddingNames),
    fc.array(
      fc.integer({ min: 0, max: 0xffff }).map((group) => group.toString(16)),
      { minLength: 5, maxLength: 5 },
    ),
  )
  .map(([ipv4, name, noise]) => ({ ipv4, spelling: embedIpv4(name, ipv4, noise) }));
