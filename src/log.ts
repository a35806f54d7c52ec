/**
 * Structured logs: one JSON object a line, with only the fields named here. A field that is not in the
 * list is not logged, so nothing secret slips in by accident.
 */
export interface LogFields {
  readonly request_id?: string;
  readonly tenant_id?: string;
  readonly code?: string;
  readonly source?: string;
  readonly problems?: readonly string[];
  /** The kind of a failure, such as `TypeError` or `DeadlineError`; never its message. */
  readonly cause?: string;
  readonly count?: number;
}

/** The type is gone at run time; this list is not. */
const allowed: Readonly<Record<keyof LogFields, true>> = {
  ...{ request_id: true, tenant_id: true, code: true, source: true },
  ...{ problems: true, cause: true, count: true },
};

export function log(level: "info" | "error", event: string, fields: LogFields = {}): void {
  const kept = Object.entries(fields).filter(([name]) => Object.hasOwn(allowed, name));
  const line = { level, event, ...Object.fromEntries(kept) };
  // biome-ignore lint/suspicious/noConsole: the platform collects logs from the console.
  console[level](JSON.stringify(line));
}

/** What may be logged of a thrown value: the kinds of it and of its causes, outermost first. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return error.cause === undefined ? error.name : `${error.name}: ${causeOf(error.cause)}`;
}
