/**
 * A session as it is stored (pure): keyed hashes of what could identify a person, and coarse facts. The
 * facts form two hierarchies, network and agent, each from coarse to fine.
 */
import { z } from "zod";

/** Stored assessments depend on the order of these names: only append to `levels`. */
export const networkLevels = ["country", "asn", "prefix", "address"] as const;
export const agentLevels = ["device", "os", "family", "browser", "agent"] as const;
export const levels = [...networkLevels, ...agentLevels] as const;

export type Level = (typeof levels)[number];

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
});

/** The facts that are stored of a session. Null: not known, or not to be learned from. */
export type Context = Readonly<z.infer<typeof contextSchema>>;

/** The browser without its version: browsers update themselves, but people rarely change the browser. */
function familyOf(browser: string | null): string | null {
  return browser === null ? null : browser.replace(/ \d+$/, "");
}

/** The value of a level as text, to compare it and to use it as a key; null: not known. */
export function levelValueOf(context: Context, level: Level): string | null {
  const value = level === "family" ? familyOf(context.browser) : context[level];
  return value === null ? null : String(value);
}
