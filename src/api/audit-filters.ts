/** The filters of the list of audit events. */
import { z } from "zod";
import { type Actor, auditActions, auditOutcomes } from "../audit/event.ts";
import { cursor, externalId, limit, requestInstant } from "../http/schemas.ts";
import type { Address } from "../sentinel/network/address.ts";
import { forwardedAddressPattern } from "../sentinel/network/address-patterns.ts";
import { parseForwardedAddress } from "../sentinel/network/forwarded-address.ts";

const actorPattern = /^(operator|system|[0-9a-f]{24})$/;
const actorFilter = z
  .string()
  .refine((text) => actorPattern.test(text), "must be the id of an API token, operator or system")
  .meta({
    pattern: actorPattern.source,
    description: "Events of this actor: the id of an API token, `operator` or `system`.",
    examples: ["6908bffd1c2e4a5b9d7f0a31", "operator"],
  })
  .transform((text): Actor => {
    if (text === "operator" || text === "system") return { type: text, id: null };
    return { type: "api_token", id: text };
  });

const reasonPattern = /^[a-z][a-z0-9_]{0,63}$/;
const reasonFilter = z
  .string()
  .refine((text) => reasonPattern.test(text), "must be a reason, such as invalid_code")
  .meta({
    pattern: reasonPattern.source,
    description: "Events with this reason.",
    examples: ["invalid_code"],
  });

const addressFilter = z
  .string()
  .transform((text, context): Address => {
    const address = parseForwardedAddress(text);
    if (address !== undefined) return address;
    context.addIssue({ code: "custom", message: "must be an IPv4 or IPv6 address" });
    return z.NEVER;
  })
  .meta({
    description:
      "Events about sessions from this address, in any of the spellings that `context.ip` accepts.",
    pattern: forwardedAddressPattern,
    examples: ["1.1.1.1"],
  });

export const trailQuery = z.strictObject({
  limit,
  after: cursor,
  from: requestInstant.optional().meta({ description: "Events at or after this time." }),
  to: requestInstant.optional().meta({ description: "Events before this time." }),
  action: z.enum(auditActions).optional().meta({ description: "Events of this kind." }),
  outcome: z.enum(auditOutcomes).optional().meta({ description: "Events with this outcome." }),
  reason: reasonFilter.optional(),
  actor: actorFilter.optional(),
  address: addressFilter.optional(),
  externalUserId: externalId.optional().meta({ description: "Events about this user." }),
});

/** A condition on the personal parts of events: a session from this address. */
export function isFromAddress(address: Address): (parts: { address?: string }) => boolean {
  return (parts) =>
    parts.address !== undefined && parseForwardedAddress(parts.address)?.text === address.text;
}
