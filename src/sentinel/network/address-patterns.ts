/** The spellings of addresses and networks that the service reads, as regular expressions for the OpenAPI document. */

const digits = "[0-9]";
const byte = `(?:25[0-5]|2[0-4]${digits}|1${digits}{2}|[1-9]?${digits})`;
/** Four decimal parts without leading zeros. */
const ipv4 = `(?:${byte}\\.){3}${byte}`;

const group = "[0-9A-Fa-f]{1,4}";
/** The last 32 bits, which may have the form of IPv4. */
const tail = `(?:${group}:${group}|${ipv4})`;
/** RFC 4291 §2.2, with `::` for one group or more. */
const ipv6 = `(?:${[
  `(?:${group}:){6}${tail}`,
  `::(?:${group}:){5}${tail}`,
  ...[4, 3, 2, 1, 0].map((after, before) => {
    const start = before === 0 ? `(?:${group})?` : `(?:(?:${group}:){0,${before}}${group})?`;
    return `${start}::(?:${group}:){${after}}${tail}`;
  }),
  `(?:(?:${group}:){0,5}${group})?::${group}`,
  `(?:(?:${group}:){0,6}${group})?::`,
].join("|")})`;

/** RFC 4007, such as the name of an interface; `%25` is that of RFC 6874. */
const zone = "(?:%(?:25)?[0-9A-Za-z_.~-]{1,64})?";
/** At most 65,535, in up to five digits. */
const port = `(?::(?:[0-5]?${digits}{1,4}|6[0-4]${digits}{3}|65[0-4]${digits}{2}|655[0-2]${digits}|6553[0-5]))?`;

export const ipv4Pattern = new RegExp(`^${ipv4}$`);
export const ipv6Pattern = new RegExp(`^${ipv6}$`);

/** Matches exactly what `parseForwardedAddress` reads. */
export const forwardedAddressPattern = `^(?:${ipv4}${port}|${ipv6}${zone}|\\[${ipv6}${zone}\\]${port})$`;

/** Matches what `parseNetwork` reads, and an IPv4-mapped network that is wider than all IPv4 addresses. */
export const networkPattern = `^(?:${ipv4}(?:/(?:3[0-2]|[12]?${digits}))?|${ipv6}(?:/(?:12[0-8]|1[01]${digits}|[1-9]?${digits}))?)$`;
