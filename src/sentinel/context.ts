/**
 * A session as it is stored (pure): keyed hashes of what could identify a person, and coarse facts. The
 * facts form two hierarchies, network and agent, each from coarse to fine. What a backend may send besides (see
 * client-fields.ts) has levels of its own, outside the hierarchies.
 */
import { z } from "zod";

/** The hierarchies. A level belongs to one of them or to none, and all arithmetic runs over these tables. */
export const hierarchies = {
  network: ["country", "asn", "pool", "prefix", "address"],
  agent: ["device", "os", "family", "browser", "agent"],
} as const;
export type HierarchyName = keyof typeof hierarchies;
/** The first is compared with all sessions, the others with those of the same browser on the same system. */
export const clientLevels = ["timeZone", "acceptLanguage", "clientHints", "ja4"] as const;
export type ClientLevel = (typeof clientLevels)[number];

/** Stored assessments depend on the order of these names: only append. */
export const levels = [
  "country",
  "asn",
  "prefix",
  "address",
  "device",
  "os",
  "family",
  "browser",
  "agent",
  "pool",
  ...clientLevels,
] as const;
export type Level = (typeof levels)[number];

export const networkLevels: readonly Level[] = hierarchies.network;
export const agentLevels: readonly Level[] = hierarchies.agent;

export const contextSchema = z.object({
  /** ISO 3166-1 alpha-2. */
  country: z.string().nullable(),
  asn: z.int().nullable(),
  /** Keyed hash of the /24 or /48, hex; null if the network says nothing about the person. */
  prefix: z.string().nullable(),
  /** Keyed hash of the address, or of the /64 of an IPv6 address, hex. Older builds hashed the whole IPv6 address. */
  address: z.string().nullable(),
  device: z.string().nullable(),
  os: z.string().nullable(),
  /** Name and major version. */
  browser: z.string().nullable(),
  /** Keyed hash of the user agent, hex. */
  agent: z.string(),
  /**
   * True if the address does not show where the person is, as with a relay, a VPN or a satellite network.
   */
  placeHidden: z.boolean(),
  /**
   * Keyed hash of the /20 or /40, hex: the pool from which a provider serves a region. Absent in sessions of
   * older builds, which did not record it.
   */
  pool: z.string().nullable().optional(),
  /** Keyed hashes of what the request said of the client, hex. Absent: nothing. */
  timeZone: z.string().optional(),
  acceptLanguage: z.string().optional(),
  clientHints: z.string().optional(),
  ja4: z.string().optional(),
});

/** The facts that are stored of a session. Null: not known, or not to be learned from. */
export type Context = Readonly<z.infer<typeof contextSchema>>;

/** The browser without its version: browsers update themselves, but people rarely change the browser. */
export function familyOf(browser: string | null): string | null {
  if (browser === null) return null;
  const space = browser.lastIndexOf(" ");
  return space > 0 && Number.isInteger(Number(browser.slice(space + 1)))
    ? browser.slice(0, space)
    : browser;
}

/** The value of a level, to be compared; null: not known. Undefined: the build that stored it did not record it. */
export function readLevel(context: Context, level: Level): string | number | null | undefined {
  return level === "family" ? familyOf(context.browser) : context[level];
}

/** The value of a level as text, for use as a key; null: not known. */
export function levelValueOf(context: Context, level: Level): string | null {
  const value = readLevel(context, level) ?? null;
  return value === null ? null : String(value);
}
