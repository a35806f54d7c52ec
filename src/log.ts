/**
 * Structured logs: one JSON object a line, with only the fields named here. A field that is not in
 * the list cannot be logged, so nothing secret slips in by accident.
 */
interface LogFields {
  readonly request_id?: string;
  readonly tenant_id?: string;
  readonly code?: string;
  readonly source?: string;
  readonly problems?: readonly string[];
  /** The kind of a failure, such as `TypeError` or `DeadlineError`; never its message. */
  readonly cause?: string;
  readonly count?: number;
}

export function log(level: "info" | "error", event: string, fields: LogFields = {}): void {
  // biome-ignore lint/suspicious/noConsole: the platform collects logs from the console.
  console[level](JSON.stringify({ level, event, ...fields }));
}

/** What may be logged of a thrown value: the kinds of it and of its causes, outermost first. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return error.cause === undefined ? error.name : `${error.name}: ${causeOf(error.cause)}`;
}
