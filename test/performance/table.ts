/** The table of counts in docs/performance.md. */
import type { Counts } from "../support/count-calls.ts";

export interface Row {
  readonly operation: string;
  readonly state: string;
  readonly counts: Counts;
}

const columns: readonly (readonly [string, keyof Counts])[] = [
  ["round trips", "roundTrips"],
  ["D1 calls", "d1Calls"],
  ["D1 rows read", "d1RowsRead"],
  ["D1 rows written", "d1RowsWritten"],
  ["KV reads", "kvReads"],
  ["object calls", "objectCalls"],
  ["rows written in objects", "objectRowsWritten"],
  ["alarms", "alarmsSet"],
  ["limiter calls", "limiterCalls"],
];

function formatLine(cells: readonly (string | number)[]): string {
  return `| ${cells.join(" | ")} |`;
}

export function formatTable(rows: readonly Row[]): string {
  return [
    formatLine(["operation", "state", ...columns.map(([title]) => title)]),
    formatLine(["---", "---", ...columns.map(() => "--:")]),
    ...rows.map(({ operation, state, counts }) =>
      formatLine([operation, state, ...columns.map(([, field]) => counts[field])]),
    ),
  ].join("\n");
}

/** Finds the table in the section of that name. */
export function findTable(document: string, section: string): string {
  const [, text = ""] = document.split(`\n## ${section}\n`);
  const [own = ""] = text.split("\n## ");
  return own
    .split("\n")
    .filter((one) => one.startsWith("|"))
    .join("\n");
}
