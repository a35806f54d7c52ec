/** The address of a client, as proxies and backends hand it on. */
import { type Address, parseAddress } from "./address.ts";
import { decodeEmbeddedIpv4 } from "./embedded-ipv4.ts";

/** `address:port`, `[address]`, `[address]:port`; the port is decimal (RFC 3986, RFC 7239). */
const ipv4WithPort = /^([0-9.]+):([0-9]{1,5})$/;
const bracketed = /^\[([^\]]*)\](?::([0-9]{1,5}))?$/;
/** An IPv6 address with its zone id (RFC 4007), such as the name of an interface; `%25` is that of RFC 6874. */
const withZone = /^([^%]*:[^%]*)%(?:25)?[\w.~-]{1,64}$/;
const maxPort = 65_535;
/** Of an IPv6 address with a dotted tail (45), a zone (67), brackets and a port (8). The patterns are slow for longer texts. */
const maxForwardedLength = 120;

/**
 * Parses an address as proxies hand it on, with a port, brackets or a zone id, none of which identifies the
 * client; undefined for any other text. An embedded IPv4 address is decoded.
 */
export function parseForwardedAddress(text: string): Address | undefined {
  if (text.length > maxForwardedLength) return undefined;
  const inBrackets = bracketed.exec(text);
  const [, host = text, port = "0"] = inBrackets ?? ipv4WithPort.exec(text) ?? [];
  if (Number(port) > maxPort || (inBrackets !== null && !host.includes(":"))) return undefined;
  const [, withoutZone = host] = withZone.exec(host) ?? [];
  const address = parseAddress(withoutZone);
  return address && decodeEmbeddedIpv4(address);
}
