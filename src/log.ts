/**
 * Structured logs: one JSON object per line. A field that is not listed here is dropped, so that no secret
 * is logged by accident.
 */
import type { LogEvent } from "./log-events.ts";

export interface LogFields {
  readonly request_id?: string;
  readonly tenant_id?: string;
  readonly code?: string;
  readonly source?: string;
  readonly problems?: readonly string[];
  /** The kind of a failure, such as `TypeError` or `DeadlineError`; never its message. */
  readonly cause?: string;
  readonly count?: number;
  /** The number that `count` should be. */
  readonly wanted?: number;
  /** Addresses of clients that sent a wrong operator token. No other line contains an address. */
  readonly addresses?: readonly string[];
  /** The number of a database: 0 is `DB`, 1 is `DB_1` and so on. */
  readonly shard?: number;
  readonly percent?: number;
  /** How long the oldest of what waits has waited, or how long deliveries have failed. */
  readonly age_seconds?: number;
  /** How long a run took. */
  readonly milliseconds?: number;
}

/** The same names at run time, where the type does not exist. */
export const logFields: Readonly<Record<keyof LogFields, true>> = {
  request_id: true,
  tenant_id: true,
  code: true,
  source: true,
  problems: true,
  cause: true,
  count: true,
  wanted: true,
  addresses: true,
  shard: true,
  percent: true,
  age_seconds: true,
  milliseconds: true,
};

export function log(
  level: "info" | "warn" | "error",
  event: LogEvent,
  fields: LogFields = {},
): void {
  const allowed = Object.entries(fields).filter(([name]) => Object.hasOwn(logFields, name));
  const line = { level, event, ...Object.fromEntries(allowed) };
  // biome-ignore lint/suspicious/noConsole: the platform collects logs from the console.
  console[level](JSON.stringify(line));
}

/** The names of a thrown value and of its causes, outermost first. */
function listNames(error: unknown): string[] {
  if (!(error instanceof Error)) return [typeof error];
  return [error.name, ...(error.cause === undefined ? [] : listNames(error.cause))];
}

/**
 * The names of a thrown value and of its causes, outermost first; safe to log, unlike their messages. `Error` says
 * nothing, so it stands only where there is no other name.
 */
export function causeOf(error: unknown): string {
  const names = listNames(error);
  const telling = names.filter((name) => name !== "Error");
  return telling.length === 0 ? "Error" : telling.join(": ");
}
