/** What a backend sends about the user's session: the address and the agent. */
import { z } from "zod";
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
