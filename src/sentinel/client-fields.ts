/**
 * What a backend may send of the client besides address and agent (pure): each as a text of one spelling, of which a
 * session keeps the keyed hash.
 */
import { type ClientLevel, clientLevels } from "./context.ts";
import { hashSessionPart } from "./session-hashes.ts";

/** The texts to compare; an absent field gives no evidence. */
export type ClientFields = Readonly<Partial<Record<ClientLevel, string>>>;

const maxLanguages = 20;

/**
 * The languages of an `Accept-Language` header in their order. The weights are left out: browsers compute them from
 * the order.
 */
export function readAcceptLanguage(header: string): string | undefined {
  const languages = header
    .split(",", maxLanguages)
    .map((range) => range.replace(/;.*/s, "").trim().toLowerCase())
    .filter((language) => language !== "");
  return languages.length === 0 ? undefined : languages.join(",");
}

/**
 * The name under which the runtime knows the time zone, because one zone has several (`Asia/Calcutta`,
 * `Asia/Kolkata`). A name that the runtime does not know yet is compared as it is.
 */
export function readTimeZone(name: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return name.toLowerCase();
  }
}

/** They change with each version of the browser, which the user agent says already. */
const hintsOfVersion = ["sec-ch-ua", "sec-ch-ua-full-version", "sec-ch-ua-full-version-list"];

/** The hints by name, in one order, whatever the order and case in which they were sent. */
export function readClientHints(hints: Readonly<Record<string, string>>): string | undefined {
  const lasting = Object.entries(hints)
    .map(([name, value]) => [name.trim().toLowerCase(), value.trim()] as const)
    .filter(([name]) => !hintsOfVersion.includes(name))
    .toSorted(([left], [right]) => (left < right ? -1 : 1));
  return lasting.length === 0 ? undefined : JSON.stringify(lasting);
}

/** @param key ADDRESS_HASH_KEY @returns hex, for the fields that were sent */
export async function hashClientFields(
  key: Uint8Array,
  tenantId: string,
  fields: ClientFields,
): Promise<ClientFields> {
  const hashed = clientLevels.map(async (level) => {
    const text = fields[level];
    if (text === undefined) return [];
    return [[level, await hashSessionPart(key, tenantId, level, text)] as const];
  });
  return Object.fromEntries((await Promise.all(hashed)).flat());
}
