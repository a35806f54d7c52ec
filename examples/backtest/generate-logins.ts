/**
 * Writes made-up past logins as CSV, for `edge-idp sentinel backtest`: people who log in from a home and from a phone, a
 * bot that tries many of them, and thieves with a victim's browser. The same seed writes the same file.
 *
 *   node scripts/run.js examples/backtest/generate-logins.ts > examples/backtest/logins.csv
 *   node scripts/run.js examples/backtest/generate-logins.ts --users 20000 --days 60 --seed 2 > logins.csv
 */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export interface Size {
  readonly users: number;
  readonly days: number;
  readonly seed: number;
}

const dayMs = 24 * 60 * 60 * 1000;
const minuteMs = 60 * 1000;
const start = Date.parse("2026-01-05T00:00:00Z");
const desktops = [
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
];
const phones = [
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
];
const botAgent = "python-requests/2.32.3";

/** Whole numbers from 0 to below `max`, in a sequence that the seed fixes (mulberry32). */
function createRandom(seed: number): (max: number) => number {
  let state = seed >>> 0;
  return (max) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % max;
  };
}

interface Person {
  readonly name: string;
  readonly home: string;
  readonly mobileNetwork: string;
  readonly desktop: string;
  readonly phone: string;
  readonly hour: number;
}

function createPerson(index: number, random: (max: number) => number): Person {
  const pick = (texts: readonly string[]) => texts[random(texts.length)] ?? "";
  return {
    name: `user-${index + 1}`,
    home: `84.${208 + random(8)}.${random(256)}.${1 + random(254)}`,
    mobileNetwork: `77.16.${random(256)}`,
    desktop: pick(desktops),
    phone: pick(phones),
    hour: 7 + random(12),
  };
}

interface Login {
  readonly at: number;
  readonly cells: readonly string[];
}

function loginsOfDay(
  people: readonly Person[],
  day: number,
  random: (max: number) => number,
): readonly Login[] {
  const logins: Login[] = [];
  const add = (at: number, ...cells: string[]) => logins.push({ at, cells });
  for (const person of people) {
    if (random(10) < 3) continue;
    const at = start + day * dayMs + person.hour * 60 * minuteMs + random(90) * minuteMs;
    const isMobile = random(4) === 0;
    const ip = isMobile ? `${person.mobileNetwork}.${1 + random(254)}` : person.home;
    const outcome = random(12) === 0 ? "verified" : "success";
    if (random(25) === 0) add(at - minuteMs, person.name, ip, person.desktop, "failure", "");
    add(at, person.name, ip, isMobile ? person.phone : person.desktop, outcome, "");
    if (random(400) === 0) {
      add(
        at + 5 * 60 * minuteMs,
        person.name,
        `45.83.${random(256)}.${1 + random(254)}`,
        person.desktop,
        "success",
        "fraud",
      );
    }
  }
  if (day % 9 === 8) {
    const bot = `193.29.${random(256)}.${1 + random(254)}`;
    const at = start + day * dayMs + 3 * 60 * minuteMs;
    for (const [index, person] of people.slice(0, 40).entries()) {
      const outcome = random(8) === 0 ? "success" : "failure";
      add(at + index * 5_000, person.name, bot, botAgent, outcome, "fraud");
    }
  }
  return logins.toSorted((left, right) => left.at - right.at);
}

function writeCell(text: string): string {
  return text.includes(",") ? `"${text}"` : text;
}

/** The lines of the file, each with its line break. */
export function* generateLogins({ users, days, seed }: Size): Generator<string> {
  const random = createRandom(seed);
  const people = Array.from({ length: users }, (_, index) => createPerson(index, random));
  yield "time,user,ip,ua,outcome,label\n";
  for (let day = 0; day < days; day += 1) {
    for (const { at, cells } of loginsOfDay(people, day, random)) {
      yield `${[new Date(at).toISOString(), ...cells].map(writeCell).join(",")}\n`;
    }
  }
}

export const sampleSize: Size = { users: 24, days: 30, seed: 1 };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      users: { type: "string", default: String(sampleSize.users) },
      days: { type: "string", default: String(sampleSize.days) },
      seed: { type: "string", default: String(sampleSize.seed) },
    },
  });
  const size = {
    users: Number(values.users),
    days: Number(values.days),
    seed: Number(values.seed),
  };
  for (const line of generateLogins(size)) {
    if (!process.stdout.write(line)) await once(process.stdout, "drain");
  }
}

// scripts/run.js puts the path of the script here.
if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
