/** The plan of the demo's month: who logs in when and from where, and what attackers try. Computes only. */

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
export const demoDays = 30;

export interface Client {
  readonly ip: string;
  readonly ua: string;
}

export interface DemoUser {
  readonly externalId: string;
  readonly home: Client;
  readonly phone: Client;
  /** The share of days on which the user logs in. */
  readonly diligence: number;
  /** The usual hour (UTC). */
  readonly hour: number;
  readonly remembersDevices: boolean;
  /** When the user is enrolled, in days after the month has begun; most users were there before. */
  readonly enrolledOnDay: number;
}

/** `login`: the right code. `typo`: a wrong one first. `trip`: from abroad. `attack`: a stranger guesses a code. */
export type VisitKind = "login" | "typo" | "trip" | "attack";

export interface Visit {
  /** Unix ms. */
  readonly at: number;
  readonly user: number;
  readonly kind: VisitKind;
  readonly client: Client;
  /** Whether the tenant later reports the session as fraud. */
  readonly isReported: boolean;
}

/** Random numbers from 0 below 1, the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const givenNames = [
  ...["ada", "amir", "bea", "chen", "dora", "emil", "fatma", "gus", "hana", "igor"],
  ...["jana", "kofi", "lena", "mateo", "nils", "olga", "priya", "quinn", "rosa", "sami"],
];
const familyNames = [
  ...["adler", "berg", "costa", "diaz", "egger", "fischer", "garcia", "haas", "ito", "jensen"],
];
const desktops = [
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
  "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0",
];
const phones = [
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36",
];
const scriptAgent = "python-requests/2.32.3";

/** No request goes to these addresses; they only stand for networks. */
const homeBlocks = ["84.112", "91.64", "93.184", "188.60", "217.82", "62.47"];
const phoneBlocks = ["80.187", "178.165", "109.40"];
const foreignBlocks = ["189.6", "41.60", "103.21", "200.150"];

/** Creates the users, the same for the same random numbers. */
export function createUsers(count: number, random: () => number): DemoUser[] {
  const choose = (from: readonly string[]) => from[Math.floor(random() * from.length)] ?? "";
  const byte = () => 1 + Math.floor(random() * 254);
  return Array.from({ length: count }, (_, index) => {
    const given = givenNames[index % givenNames.length];
    const family = familyNames[Math.floor(index / givenNames.length) % familyNames.length];
    const round = Math.floor(index / (givenNames.length * familyNames.length));
    return {
      externalId: `${given}.${family}${round === 0 ? "" : `.${round}`}`,
      home: { ip: `${choose(homeBlocks)}.${byte()}.${byte()}`, ua: choose(desktops) },
      phone: { ip: `${choose(phoneBlocks)}.${byte()}.${byte()}`, ua: choose(phones) },
      diligence: 0.1 + random() * 0.5,
      hour: 6 + Math.floor(random() * 12),
      remembersDevices: random() < 0.3,
      enrolledOnDay: index % 4 === 3 ? Math.floor(random() * demoDays) : -1,
    };
  });
}

/** @param start of the month, Unix ms. @returns Unix ms */
export function enrolledAt({ enrolledOnDay, hour }: DemoUser, start: number): number {
  return start + enrolledOnDay * dayMs + hour * hourMs;
}

function planLogins(users: readonly DemoUser[], start: number, random: () => number): Visit[] {
  return users.flatMap((user, index) =>
    Array.from({ length: demoDays }, (_, day): Visit[] => {
      const isWeekend = [0, 6].includes(new Date(start + day * dayMs).getUTCDay());
      if (random() > user.diligence * (isWeekend ? 0.4 : 1)) return [];
      const hour = user.hour + random() * 3 - 1.5;
      const isTrip = random() < 0.01;
      const kind = isTrip ? "trip" : random() < 0.08 ? "typo" : "login";
      const block = foreignBlocks[Math.floor(random() * foreignBlocks.length)];
      const abroad = { ip: `${block}.7.${1 + Math.floor(random() * 254)}`, ua: user.phone.ua };
      const usual = random() < 0.25 ? user.phone : user.home;
      const at = Math.floor(start + day * dayMs + hour * hourMs);
      return [{ at, user: index, kind, client: isTrip ? abroad : usual, isReported: false }];
    }).flat(),
  );
}

/** One address tries many users with leaked passwords, and guesses each code once. */
function planStuffing(users: number, at: number, ip: string, random: () => number): Visit[] {
  return Array.from({ length: 40 }, (_, index) => ({
    at: at + index * 9_000,
    user: Math.floor(random() * users),
    kind: "attack",
    client: { ip, ua: scriptAgent },
    isReported: index % 4 === 0,
  }));
}

/** Somebody aims at one user until the user is locked. */
function planTargeted(user: number, at: number, random: () => number): Visit[] {
  const ip = `${foreignBlocks[user % foreignBlocks.length]}.99.${1 + Math.floor(random() * 254)}`;
  return Array.from({ length: 6 }, (_, index) => ({
    at: at + index * 20_000,
    user,
    kind: "attack",
    client: { ip, ua: desktops[0] ?? scriptAgent },
    isReported: index === 0,
  }));
}

/** All visits of the month that ends at `end` (Unix ms), in the order of their times. */
export function planMonth(users: readonly DemoUser[], end: number, random: () => number): Visit[] {
  const start = end - demoDays * dayMs;
  const anyUser = () => Math.floor(random() * users.length);
  const stuffing = [6, 17, 25].flatMap((day, index) =>
    planStuffing(users.length, start + day * dayMs + 2 * hourMs, `103.21.58.${20 + index}`, random),
  );
  const targeted = Array.from({ length: 14 }, (_, index) =>
    planTargeted(anyUser(), start + (index * 2 + 1) * dayMs + index * hourMs, random),
  ).flat();
  // These users are still locked when the month ends.
  const latest = Array.from({ length: 3 }, () =>
    planTargeted(anyUser(), end - 4 * 60_000, random),
  ).flat();
  const visits = [...planLogins(users, start, random), ...stuffing, ...targeted, ...latest];
  const isThere = ({ at, user }: Visit) => {
    const [one] = users.slice(user, user + 1);
    return at < end && one !== undefined && at > enrolledAt(one, start);
  };
  return visits.filter(isThere).toSorted((one, other) => one.at - other.at);
}
