/** The table of counts as docs/performance.md has it. */
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

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(" | ")} |`;
}

export function tableOf(rows: readonly Row[]): string {
  return [
    line(["operation", "state", ...columns.map(([title]) => title)]),
    line(["---", "---", ...columns.map(() => "--:")]),
    ...rows.map(({ operation, state, counts }) =>
      line([operation, state, ...columns.map(([, field]) => counts[field])]),
    ),
  ].join("\n");
}

/** The table in the section of that name. */
export function tableIn(document: string, section: string): string {
  const [, text = ""] = document.split(`\n## ${section}\n`);
  const [own = ""] = text.split("\n## ");
  return own
    .split("\n")
    .filter((one) => one.startsWith("|"))
    .join("\n");
}
