/**
 * Where the service sends to (pure): public hosts over TLS. The name of a host says nothing about its address, which
 * the platform resolves: Workers reach no private network. What is refused here are the addresses that no public
 * receiver has.
 */

/** 443 is the default of https, which `URL` shows as an empty port. */
const allowedPorts: readonly string[] = ["", "8443"];
export const maxUrlCharacters = 2_048;

/**
 * Names that no public host has: RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476, and the ones that ICANN and common
 * routers reserve for private networks. `workers` reach each other under other names.
 */
const privateSuffixes: readonly string[] = [
  ...["localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home"],
  ...["lan", "test", "example", "invalid", "onion", "alt", "arpa"],
];
const loopbackHosts: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
const labelPattern = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const maxHostCharacters = 253;

/** Whether the host is a name of the public DNS. `URL` has made it lower-case, and every spelling of an IPv4 address dotted. */
function isPublicHost(host: string): boolean {
  const labels = host.split(".");
  const last = labels.at(-1) ?? "";
  return (
    labels.length > 1 &&
    host.length <= maxHostCharacters &&
    labels.every((label) => labelPattern.test(label)) &&
    // A host whose last label is a number is an address (WHATWG URL §3.5).
    !/^[0-9]/.test(last) &&
    !privateSuffixes.includes(last)
  );
}

/**
 * Says why the service does not send to an address; undefined if it does.
 * @param isTest tenants in test mode may send to this machine
 */
export function findTargetProblem(text: string, isTest: boolean): string | undefined {
  const url = URL.parse(text);
  if (url === null || text.length > maxUrlCharacters || /[\s\\]/.test(text)) {
    return `must be an absolute URL of at most ${maxUrlCharacters} characters`;
  }
  const { protocol, hostname, port, username, password, hash } = url;
  if (username !== "" || password !== "") return "must not contain a user name or a password";
  if (hash !== "" || text.includes("#")) return "must not contain a fragment";
  if (isTest && loopbackHosts.includes(hostname)) {
    return protocol === "http:" || protocol === "https:" ? undefined : "must use http or https";
  }
  if (protocol !== "https:" && !(isTest && protocol === "http:")) return "must use https";
  if (!isPublicHost(hostname)) {
    return "must name a public host: no IP address, and no name of a private network";
  }
  const isOtherPort = !allowedPorts.includes(port) && !(isTest && protocol === "http:");
  return isOtherPort ? "must use port 443 or 8443" : undefined;
}

/**
 * Headers that a tenant cannot choose: hop-by-hop headers (RFC 9110 §7.6.1), those that describe the body or the
 * connection, and those that the service or its platform sets.
 */
const reservedHeaders: readonly string[] = [
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  ...["upgrade", "proxy-authenticate", "proxy-authorization", "host", "expect", "via"],
  ...["content-length", "content-type", "content-encoding", "accept-encoding", "user-agent"],
  ...["webhook-id", "webhook-timestamp", "webhook-signature", "date", "cookie", "forwarded"],
];
const reservedPrefixes: readonly string[] = ["cf-", "x-forwarded-", "x-real-", "sec-", "x-amz-"];
const headerNamePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]{1,64}$/;
// RFC 9110 §5.5, without obsolete text; no white space at either end.
const headerValuePattern = /^[\x21-\x7e]([\x20-\x7e]{0,2046}[\x21-\x7e])?$/;

/** Says why a tenant cannot choose a header; undefined if it can. */
export function findHeaderProblem(name: string, value: string): string | undefined {
  const lower = name.toLowerCase();
  if (!headerNamePattern.test(lower)) return "is not the name of a header";
  if (reservedHeaders.includes(lower) || reservedPrefixes.some((one) => lower.startsWith(one))) {
    return "is a header that cannot be chosen";
  }
  return headerValuePattern.test(value)
    ? undefined
    : "must have 1 to 2048 printable ASCII characters, without spaces at the ends";
}
