/**
 * Browsers that nobody has (pure): agents put together by a script that knows the parts but not how
 * they go together. Only what is certain counts; an odd agent is not an impossible one.
 */

/** Systems by how their part of the agent's first comment begins, never found together. */
const systems = [
  { system: "windows", begins: /^Windows NT \d/ },
  { system: "ios", begins: /^(iPhone|iPad|iPod|iPod touch)$/ },
  { system: "android", begins: /^Android( \d|$)/ },
  { system: "macos", begins: /^Macintosh$/ },
  // Linux, BSD and ChromeOS.
  { system: "x11", begins: /^X11$/ },
] as const;
type System = (typeof systems)[number]["system"];

/** Engines and brands with the systems they were never made for. */
const strangers: readonly { readonly says: RegExp; readonly never: readonly System[] }[] = [
  { says: /\bMSIE \d|\bTrident\/\d/, never: ["macos", "ios", "android", "x11"] },
  // The Edge before Chromium; its successors on other systems have other names.
  { says: /\bEdge\/\d/, never: ["macos", "ios", "android", "x11"] },
  // On iPhones every browser is WebKit and says so with a name of its own.
  { says: /\bAppleWebKit\/537\.36 .*\bChrome\/\d/, never: ["ios"] },
  { says: /\bGecko\/20100101\b/, never: ["ios"] },
  // Tablets that ask for the desktop site claim to be a Mac, phones to be an X11 desktop.
  { says: /\b(CriOS|FxiOS|EdgiOS)\/\d/, never: ["windows", "android", "x11"] },
  { says: /\bEdgA\/\d/, never: ["windows", "macos", "ios"] },
];

/** The last Safari for Windows was 5.1.7 (2012). */
const lastSafariOnWindows = 5;
/** Windows 11 says `NT 10.0` as well. */
const newestWindows = 10;
/** After Safari 18 (2024) came 26 (2025): the versions are named after the next year since. */
const safariGap = { first: 19, last: 25 } as const;
/** Apple names a version after the year to come; two more for previews and for late updates. */
const safariYearsAhead = 3;

const dayMs = 24 * 60 * 60 * 1000;
/**
 * Chrome and Firefox released their 120 at about this time, and one every four weeks since; Chrome
 * releases every two weeks from 153 (September 2026) on, and none is known to be faster.
 */
const knownMajor = 120;
const knownAt = Date.UTC(2023, 10, 21);
const fasterFrom = Date.UTC(2026, 8, 1);
const slowReleaseMs = 28 * dayMs;
const fastReleaseMs = 14 * dayMs;
/** Previews are three ahead of the release; clocks and calendars differ. */
const majorsAhead = 6;

/** Older ones cannot speak TLS 1.2 (2014), and so reach hardly any site. */
const oldestMajors = { Chrome: 30, Firefox: 27 } as const;
/** They count their versions together. */
const evenlyReleased = ["Chrome", "CriOS", "Edg", "Firefox", "FxiOS"] as const;

/**
 * A Chrome is cut from one build, and builds only grow: some that were. In between they grow evenly
 * enough, by about 45 a version, to tell a build that no such version had.
 */
const chromeBuilds: readonly (readonly [major: number, build: number])[] = [
  [30, 1599],
  [40, 2214],
  [50, 2661],
  [60, 3112],
  [70, 3538],
  [80, 3987],
  [90, 4430],
  [100, 4896],
  [110, 5481],
  [120, 6099],
  [130, 6723],
  [140, 7339],
  [150, 7871],
];
/** Three versions: previews are built all along the way from one to the next. */
const buildsApart = 150;

function newestMajor(now: number): number {
  const slow = (Math.min(now, fasterFrom) - knownAt) / slowReleaseMs;
  const fast = Math.max(0, now - fasterFrom) / fastReleaseMs;
  return knownMajor + majorsAhead + Math.max(0, Math.ceil(slow + fast));
}

/** The number after `name/`; undefined where there is none. */
function majorOf(agent: string, name: string): number | undefined {
  const digits = new RegExp(`\\b${name}/(\\d{1,9})\\b`).exec(agent)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function systemsOf(comment: string): readonly System[] {
  const parts = comment.split(";").map((part) => part.trim());
  return systems
    .filter(({ begins }) => parts.some((part) => begins.test(part)))
    .map(({ system }) => system);
}

function isFromAnotherTime(agent: string, now: number): boolean {
  const newest = newestMajor(now);
  if (evenlyReleased.some((name) => (majorOf(agent, name) ?? 0) > newest)) return true;
  return Object.entries(oldestMajors).some(
    ([name, oldest]) => (majorOf(agent, name) ?? oldest) < oldest,
  );
}

/** A version put together at random; most say 0 for the build, so as to tell less. */
function hasForeignBuild(agent: string): boolean {
  const [, major = 0, build = 0] = (/\bChrome\/(\d{1,4})\.\d+\.(\d{1,5})\b/.exec(agent) ?? []).map(
    Number,
  );
  const after = chromeBuilds.findIndex(([known]) => known > major);
  const [from, to] = [chromeBuilds[after - 1], chromeBuilds[after]];
  if (build === 0 || from === undefined || to === undefined) return false;
  const expected = from[1] + ((major - from[0]) / (to[0] - from[0])) * (to[1] - from[1]);
  return Math.abs(build - expected) > buildsApart;
}

/** Safari itself: others on WebKit add their name, and Android's old browser was no Safari. */
function isImpossibleSafari(agent: string, present: readonly System[], now: number): boolean {
  if (!/ Version\/[\d.]+ (Mobile\/\w+ )?Safari\/[\d.]+$/.test(agent)) return false;
  const major = majorOf(agent, "Version");
  if (major === undefined) return false;
  if (present.includes("windows")) return major > lastSafariOnWindows;
  if (!present.includes("macos") && !present.includes("ios")) return false;
  const newest = new Date(now).getUTCFullYear() - 2000 + safariYearsAhead;
  return (major >= safariGap.first && major <= safariGap.last) || major > newest;
}

/**
 * Whether no browser can have sent this: parts that contradict each other, a version that is not
 * out yet, never was, or is too old to reach any site.
 * @param agent an agent that begins as a browser's, `Mozilla/5.0 (`
 * @param now real time, Unix ms
 */
export function isImpossibleBrowser(agent: string, now: number): boolean {
  // Windows phones claimed to be every other phone, to be sent their pages.
  if (/\bWindows Phone\b/.test(agent)) return false;
  const comment = /\(([^)]*)/.exec(agent)?.[1] ?? "";
  const present = systemsOf(comment);
  if (present.length > 1) return true;
  const windows = /\bWindows NT (\d{1,9})/.exec(comment)?.[1];
  if (windows !== undefined && Number(windows) > newestWindows) return true;
  const isStranger = strangers.some(
    ({ says, never }) => never.some((system) => present.includes(system)) && says.test(agent),
  );
  return (
    isStranger ||
    isFromAnotherTime(agent, now) ||
    hasForeignBuild(agent) ||
    isImpossibleSafari(agent, present, now)
  );
}
