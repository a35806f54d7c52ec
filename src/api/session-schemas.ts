/** What a backend sends about the user's session: the address and the agent, and what it may add of the client. */
import { z } from "zod";
import {
  type ClientFields,
  readAcceptLanguage,
  readClientHints,
  readTimeZone,
} from "../sentinel/client-fields.ts";
import type { Address } from "../sentinel/network/address.ts";
import { forwardedAddressPattern } from "../sentinel/network/address-patterns.ts";
import { parseForwardedAddress } from "../sentinel/network/forwarded-address.ts";

/** A backend passes on what the client sent, so no text is refused. */
export const agent = z
  .string()
  .nullable()
  .meta({
    description:
      "The user agent as the client sent it; empty or null if it sent none. Of a longer one the first 1,024 characters are used. Control characters and lone surrogates are replaced. Each of these is a sign of a script.",
    examples: ["EnterpriseAgent/1.0"],
  })
  .transform((text) => text ?? "");

export const address = z
  .string()
  .meta({
    description:
      "An IPv4 or IPv6 address. It may have a port, and an IPv6 address brackets and a zone id; only the address is used. An IPv4 address that 6to4, Teredo or NAT64 embeds in IPv6 counts as that IPv4 address.",
    pattern: forwardedAddressPattern,
    examples: ["1.1.1.1", "2606:4700:4700::1111", "192.0.2.1:5678", "[2001:db8::1]:443"],
  })
  .transform((text, context): Address => {
    const parsed = parseForwardedAddress(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: "must be an IPv4 or IPv6 address" });
    return z.NEVER;
  });

/** Names of the IANA time zone database consist of these characters. */
const timeZonePattern = /^[A-Za-z][A-Za-z0-9_+-]{0,31}(?:[/][A-Za-z0-9_+-]{1,32}){0,2}$/;
/** FoxIO, JA4: what the ClientHello has, then two truncated hashes. */
const ja4Pattern = /^[tqd][0-9a-z]{2}[di][0-9]{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/;
const maxHints = 32;
const maxHintLength = 256;

const hint = z
  .string()
  .refine(
    (text) => [...text].length <= maxHintLength,
    `must have at most ${maxHintLength} character(s)`,
  )
  .meta({ maxLength: maxHintLength });

const clientFields = z.object({
  accept_language: z.string().meta({
    description:
      "The client's `Accept-Language` header. The first 20 languages are compared, in their order and without weights.",
    examples: ["nb-NO,nb;q=0.9,en;q=0.8"],
  }),
  time_zone: z
    .string()
    .refine((text) => timeZonePattern.test(text), "must be an IANA time zone, such as Europe/Oslo")
    .meta({
      description:
        "The time zone of the browser or the device, as an IANA name. A browser has it in `Intl.DateTimeFormat().resolvedOptions().timeZone`.",
      pattern: timeZonePattern.source,
      examples: ["Europe/Oslo"],
    }),
  client_hints: z
    .record(z.string(), hint)
    .refine(
      (hints) => Object.keys(hints).length <= maxHints,
      `must have at most ${maxHints} fields`,
    )
    .meta({
      description:
        "User-agent client hints by the names of their headers. Those that name the version of the browser are not compared, because the user agent has it.",
      maxProperties: maxHints,
      examples: [{ "sec-ch-ua-platform": '"Windows"', "sec-ch-ua-arch": '"x86"' }],
    }),
  ja4: z
    .string()
    .refine((text) => ja4Pattern.test(text), "must be a JA4 fingerprint")
    .meta({
      description: "The JA4 fingerprint of the client's TLS handshake, as a proxy computed it.",
      pattern: ja4Pattern.source,
      examples: ["t13d1516h2_8daaf6152771_e5627efa2ab1"],
    }),
});

const sentClientFields = clientFields.partial();

/** Optional fields of a context. Of each, a session keeps a keyed hash alone. */
export const optionalClientFields = sentClientFields.shape;

/** The texts to compare. */
export function readClientFields(sent: z.output<typeof sentClientFields>): ClientFields {
  const { accept_language, time_zone, client_hints, ja4 } = sent;
  const acceptLanguage = accept_language && readAcceptLanguage(accept_language);
  const clientHints = client_hints && readClientHints(client_hints);
  return {
    ...(time_zone === undefined ? {} : { timeZone: readTimeZone(time_zone) }),
    ...(acceptLanguage ? { acceptLanguage } : {}),
    ...(clientHints ? { clientHints } : {}),
    ...(ja4 === undefined ? {} : { ja4 }),
  };
}
