/** What the doctor found about one part of the service. */

export type Level = "ok" | "warn" | "fail";

export interface Finding {
  readonly part: string;
  readonly level: Level;
  /** What is so, as one sentence. */
  readonly text: string;
  /** What to do about it; absent if all is well. */
  readonly advice?: string;
}

export function ok(part: string, text: string): Finding {
  return { part, level: "ok", text };
}

export function warn(part: string, text: string, advice: string): Finding {
  return { part, level: "warn", text, advice };
}

export function fail(part: string, text: string, advice: string): Finding {
  return { part, level: "fail", text, advice };
}

/** From two bounds to a level. */
export function levelOf(
  value: number,
  { warnFrom, failFrom }: { readonly warnFrom: number; readonly failFrom: number },
): Level {
  if (value >= failFrom) return "fail";
  return value >= warnFrom ? "warn" : "ok";
}

const levels: Readonly<Record<Level, number>> = { ok: 0, warn: 1, fail: 2 };

/** The finding with the worse level: the first one of equals. */
export function worseOf(one: Finding, other: Finding): Finding {
  return levels[other.level] > levels[one.level] ? other : one;
}

/** The level, the part and the sentence, and below it what to do. */
export function formatFinding({ level, part, text, advice }: Finding): string {
  const line = `${level.padEnd(4)}  ${part.padEnd(12)}  ${text}`;
  return advice === undefined ? line : `${line}\n${" ".repeat(20)}${advice}`;
}
