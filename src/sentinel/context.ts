/**
 * A session as it is remembered (pure): keyed hashes of what could name a person, coarse facts of
 * the rest. Two hierarchies, each from coarse to fine.
 */
import { z } from "zod";

export const networkLevels = ["country", "asn", "prefix", "address"] as const;
export const agentLevels = ["device", "os", "family", "browser", "agent"] as const;
export const levels = [...networkLevels, ...agentLevels] as const;

export type Level = (typeof levels)[number];

export const contextSchema = z.object({
  /** ISO 3166-1 alpha-2. */
  country: z.string().nullable(),
  asn: z.int().nullable(),
  /** Keyed hash of the /24 or /48, hex; null where the network says nothing of the person. */
  prefix: z.string().nullable(),
  /** Keyed hash of the address, hex. */
  address: z.string().nullable(),
  device: z.string().nullable(),
  os: z.string().nullable(),
  /** Name and major version. */
  browser: z.string().nullable(),
  /** Keyed hash of the user agent, hex. */
  agent: z.string(),
  /** The exit tells nothing of where the person is. */
  placeHidden: z.boolean(),
});

/** What is remembered of a session; null: not known, or not to be learned from. */
export type Context = Readonly<z.infer<typeof contextSchema>>;

/** A browser's name and major version without the version: a browser renews itself, people stay. */
function familyOf(browser: string | null): string | null {
  return browser === null ? null : browser.replace(/ \d+$/, "");
}

/** The value of a level as text, for comparison and as a key; null: not known. */
export function levelValueOf(context: Context, level: Level): string | null {
  const value = level === "family" ? familyOf(context.browser) : context[level];
  return value === null ? null : String(value);
}
