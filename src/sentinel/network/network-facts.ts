/**
 * The facts about the network of an address, and their 16 flag bits in a record: bits 0 to 11 are kinds of
 * network (three of them are free), bits 12 to 15 the threat grade.
 */

/**
 * The kinds of network, in the order of their bits. Stored data depends on this order: only append, or raise
 * the format version.
 */
export const networkKinds = [
  "hosting",
  "vpn",
  "tor",
  "proxy",
  "relay",
  "cloud",
  "crawler",
  "scanner",
  "threat",
] as const;

export type NetworkKind = (typeof networkKinds)[number];

/**
 * The kinds of data whose age a data set states: the two tables of geography, and the lists of each kind of network.
 * Stored data depends on this order: only append.
 */
export const datedKinds = ["asn", "country", ...networkKinds] as const;
export type DatedKind = (typeof datedKinds)[number];

/** When the newest list of each kind was fetched, Unix ms. A kind without a list is left out. */
export type ListTimes = Readonly<Partial<Record<DatedKind, number>>>;

/** The kinds of data that an answer can lack. */
export const dataKinds = ["geography", ...networkKinds] as const;
export type DataKind = (typeof dataKinds)[number];

export interface NetworkFacts {
  /** In the order of networkKinds. "threat" is included exactly when threatGrade is not 0. */
  readonly kinds: readonly NetworkKind[];
  /** The number of threat lists that name the address, 0 to 15; 15 means 15 or more. */
  readonly threatGrade: number;
  /** Autonomous system number; undefined: not known. */
  readonly asn: number | undefined;
  /** ISO 3166-1 alpha-2 in capitals; undefined: not known. */
  readonly country: string | undefined;
}

/** Kinds whose lists change within hours. They are stored in the table of threats, not in shards. */
const fastKinds: readonly DatedKind[] = ["tor", "scanner", "threat"];

export function isFast(kind: DatedKind): boolean {
  return fastKinds.includes(kind);
}

export const maxThreatGrade = 15;

const gradeShift = 12;

export function isNetworkKind(text: string): text is NetworkKind {
  return networkKinds.some((kind) => kind === text);
}

/** Bit number of a kind, 0 to 11. */
function bitOf(kind: NetworkKind): number {
  return networkKinds.indexOf(kind);
}

/** The 16 flag bits. The "threat" bit follows from the grade; a grade above 15 is stored as 15. */
export function encodeFlags(kinds: Iterable<NetworkKind>, threatGrade: number): number {
  const grade = Math.min(maxThreatGrade, Math.max(0, Math.trunc(threatGrade)));
  let bits = grade > 0 ? 1 << bitOf("threat") : 0;
  for (const kind of kinds) {
    if (kind !== "threat") bits |= 1 << bitOf(kind);
  }
  return bits | (grade << gradeShift);
}

/** Two capital letters as 16 bits; 0 (unknown) for any other text. */
export function encodeCountry(country: string | undefined): number {
  if (country === undefined || !/^[A-Z]{2}$/.test(country)) return 0;
  return (country.charCodeAt(0) << 8) | country.charCodeAt(1);
}

/** The facts of one record; undefined if it has none. */
export function decodeFacts(asn: number, country: number, flags: number): NetworkFacts | undefined {
  if (asn === 0 && country === 0 && flags === 0) return undefined;
  return {
    kinds: networkKinds.filter((_, bit) => (flags & (1 << bit)) !== 0),
    threatGrade: flags >>> gradeShift,
    asn: asn === 0 ? undefined : asn,
    country: country === 0 ? undefined : String.fromCharCode(country >>> 8, country & 0xff),
  };
}
