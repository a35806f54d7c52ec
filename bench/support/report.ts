/** Formats the figures of the audit bench as a table. */
import {
  type Course,
  formatMebibytes,
  formatRatio,
  formatSeconds,
  formatTiming,
  type Timing,
  table,
  whole,
} from "./figures.ts";
import type { Exported, IntegrationRequest, Page, Proofs, Verified } from "./steps.ts";
import type { Inserted } from "./trail.ts";

export interface AuditFigures {
  readonly machine: string;
  readonly versions: string;
  readonly at: string;
  readonly events: number;
  readonly inserted: Inserted;
  readonly storedBytes: number;
  readonly integrations: readonly IntegrationRequest[];
  readonly pages: readonly Page[];
  readonly inclusion: readonly Proofs[];
  readonly consistency: readonly Proofs[];
  readonly exported: Exported;
  readonly verified: Verified;
}

type Row = readonly [what: string, figure: string, more: string];

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function formatPerSecond(count: number, ms: number): string {
  return `${whole((count * 1000) / ms)} events/s`;
}

function compareTimings(one: Timing | undefined, base: Timing | undefined, name: string): string {
  if (one === undefined || base === undefined || one === base) return "";
  return `${formatRatio(one.medianMs / base.medianMs)} ${name}`;
}

/** Formats the processor time of the server process, if it is known. */
function formatProcessor(parts: readonly { readonly processorMs: number | undefined }[]): string {
  const times = parts.flatMap(({ processorMs }) => processorMs ?? []);
  return times.length < parts.length ? "" : `, processor ${formatSeconds(sum(times))}`;
}

function insertRows({ inserted, events, storedBytes }: AuditFigures): Row[] {
  const { insertedMs, createdMs, statements } = inserted;
  return [
    [
      "insert, through the service's statement",
      `${formatSeconds(insertedMs)}, ${formatPerSecond(events, insertedMs)}`,
      `${whole(statements)} statements; events created in ${formatSeconds(createdMs)}`,
    ],
    [
      "database, with indexes and tree",
      formatMebibytes(storedBytes),
      `${whole(storedBytes / events)} bytes an event`,
    ],
  ];
}

function integrationRows({ integrations, events }: AuditFigures): Row[] {
  const ms = sum(integrations.map((request) => request.ms));
  const statements = sum(integrations.map((request) => request.statements));
  const longest = integrations.toSorted((a, b) => b.ms - a.ms)[0];
  return [
    [
      "integrate all",
      `${formatSeconds(ms)}, ${formatPerSecond(events, ms)}`,
      `${whole(integrations.length)} requests, ${whole(statements)} statements${formatProcessor(integrations)}`,
    ],
    [
      "longest request that integrates",
      longest === undefined ? "" : formatSeconds(longest.ms),
      longest === undefined ? "" : `${whole(longest.events)} events`,
    ],
  ];
}

function pageRows({ pages }: AuditFigures): Row[] {
  return pages.map((page): Row => {
    const compared = compareTimings(page.timing, pages[0]?.timing, "page 1");
    const events = `${page.events} events`;
    return [
      `list, ${page.what}`,
      formatTiming(page.timing),
      compared ? `${compared}; ${events}` : events,
    ];
  });
}

function formatHashes({ minHashes, maxHashes }: Proofs): string {
  return minHashes === maxHashes ? `${maxHashes} hashes` : `${minHashes} to ${maxHashes} hashes`;
}

function proofRows({ inclusion, consistency, events }: AuditFigures): Row[] {
  const rows = inclusion.map((proofs): Row => {
    const first = inclusion[0];
    const compared = compareTimings(proofs.timing, first?.timing, `at ${whole(first?.size ?? 0)}`);
    const what = `prove inclusion in ${whole(proofs.size)}`;
    return [
      what,
      formatTiming(proofs.timing),
      [formatHashes(proofs), compared].filter(Boolean).join("; "),
    ];
  });
  const growth = consistency.map((proofs): Row => {
    const what = `prove consistency, ${whole(proofs.size)} to ${whole(events)}`;
    return [what, formatTiming(proofs.timing), formatHashes(proofs)];
  });
  return [...rows, ...growth];
}

function courseRow(what: string, course: Course | undefined): Row[] {
  if (course === undefined) return [];
  const { firstQuarter, lastQuarter, highest } = course;
  const figure = `${formatMebibytes(firstQuarter)} in the first quarter, ${formatMebibytes(lastQuarter)} in the last`;
  const more = `${formatRatio(lastQuarter / firstQuarter)} the first; ${formatMebibytes(highest)} at most`;
  return [[what, figure, more]];
}

function exportRows({ exported, verified, events }: AuditFigures): Row[] {
  const { ms, bytes, requests } = exported;
  return [
    [
      "export all",
      `${formatSeconds(ms)}, ${formatPerSecond(events, ms)}`,
      `${formatMebibytes(bytes)}, ${whole(bytes / events)} bytes an event, requests: ${requests}${formatProcessor([exported])}`,
    ],
    ...courseRow("memory of the server process during the export", exported.memory),
    [
      "verify the export offline",
      `${formatSeconds(verified.ms)}, ${formatPerSecond(events, verified.ms)}`,
      `memory ${formatMebibytes(verified.peakMemory)} at most`,
    ],
  ];
}

export function formatAuditReport(figures: AuditFigures): string {
  const rows = [
    ...insertRows(figures),
    ...integrationRows(figures),
    ...pageRows(figures),
    ...proofRows(figures),
    ...exportRows(figures),
  ];
  const head = `One tenant, ${whole(figures.events)} events. ${figures.at}. ${figures.machine}. ${figures.versions}.`;
  return `${head}\n\n${table(["what", "figure", "more"], rows)}\n`;
}
