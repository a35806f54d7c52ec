/**
 * User agents whose parts contradict each other (pure): a script put them together without knowing which parts
 * occur together. Only contradictions that are certain count. No entry depends on today's versions, so none
 * becomes outdated.
 */

/** Systems, by how their part of the agent's first comment begins. An agent names at most one of them. */
const systems = [
  { system: "windows", begins: /^Windows NT \d/ },
  { system: "ios", begins: /^(iPhone|iPad|iPod|iPod touch)$/ },
  { system: "android", begins: /^Android( \d|$)/ },
  { system: "macos", begins: /^Macintosh$/ },
  // Linux, BSD and ChromeOS.
  { system: "x11", begins: /^X11$/ },
] as const;
type System = (typeof systems)[number]["system"];

/** Engines and brands, with the systems they were never released for. */
const foreignTokens: readonly { readonly token: RegExp; readonly never: readonly System[] }[] = [
  { token: /\bMSIE \d|\bTrident\/\d/, never: ["macos", "ios", "android", "x11"] },
  // Edge before it used Chromium. Its successors on other systems have other names.
  { token: /\bEdge\/\d/, never: ["macos", "ios", "android", "x11"] },
  // On iPhones every browser uses Apple's WebKit and has a name of its own.
  { token: /\bAppleWebKit\/537\.36 .*\bChrome\/\d/, never: ["ios"] },
  { token: /\bGecko\/20100101\b/, never: ["ios"] },
  // A tablet that requests the desktop site claims to be a Mac; a phone claims to be an X11 desktop.
  { token: /\b(CriOS|FxiOS|EdgiOS)\/\d/, never: ["windows", "android", "x11"] },
  { token: /\bEdgA\/\d/, never: ["windows", "macos", "ios"] },
];

/** Safari itself and its major version. Other browsers on WebKit add their own name. */
const safari = / Version\/(\d{1,9})(?!\d)[\d.]* (?:Mobile\/\w+ )?Safari\/[\d.]+$/;
/** Apple ended Safari for Windows with 5.1.7 (2012), so this number is final. */
const lastSafariForWindows = 5;

function findSystems(comment: string): readonly System[] {
  const parts = comment.split(";").map((part) => part.trim());
  return systems
    .filter(({ begins }) => parts.some((part) => begins.test(part)))
    .map(({ system }) => system);
}

function isSafariOnWindows(agent: string, present: readonly System[]): boolean {
  const major = safari.exec(agent)?.[1];
  return present.includes("windows") && Number(major ?? 0) > lastSafariForWindows;
}

/**
 * Whether the parts of a browser's agent contradict each other: two systems at once, or an engine or a
 * brand on a system that it was never released for.
 * @param agent begins like a browser's agent, `Mozilla/5.0 (`
 */
export function contradictsItself(agent: string): boolean {
  // Windows Phone claimed to be every other phone, so that sites served it their mobile pages.
  if (/\bWindows Phone\b/.test(agent)) return false;
  const comment = /\(([^)]*)/.exec(agent)?.[1] ?? "";
  const present = findSystems(comment);
  if (present.length > 1 || isSafariOnWindows(agent, present)) return true;
  return foreignTokens.some(
    ({ token, never }) => never.some((system) => present.includes(system)) && token.test(agent),
  );
}
