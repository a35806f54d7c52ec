/** The figures of the audit bench as a table. */
import {
  type Course,
  megabytes,
  ratio,
  seconds,
  type Timing,
  table,
  timing,
  whole,
} from "./figures.ts";
import type { Exported, Page, Proofs, SealRequest, Verified } from "./steps.ts";
import type { Inserted } from "./trail.ts";

export interface AuditFigures {
  readonly machine: string;
  readonly versions: string;
  readonly at: string;
  readonly events: number;
  readonly inserted: Inserted;
  readonly storedBytes: number;
  readonly sealed: readonly SealRequest[];
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

function perSecond(count: number, ms: number): string {
  return `${whole((count * 1000) / ms)} events/s`;
}

function against(one: Timing | undefined, base: Timing | undefined, name: string): string {
  if (one === undefined || base === undefined || one === base) return "";
  return `${ratio(one.medianMs / base.medianMs)} ${name}`;
}

/** Processor time of the server process, where it is known. */
function processor(parts: readonly { readonly processorMs: number | undefined }[]): string {
  const times = parts.flatMap(({ processorMs }) => processorMs ?? []);
  return times.length < parts.length ? "" : `, processor ${seconds(sum(times))}`;
}

function insertRows({ inserted, events, storedBytes }: AuditFigures): Row[] {
  const { insertedMs, madeMs, statements } = inserted;
  return [
    [
      "insert, through the service's statement",
      `${seconds(insertedMs)}, ${perSecond(events, insertedMs)}`,
      `${whole(statements)} statements; made before in ${seconds(madeMs)}`,
    ],
    [
      "database, with indexes and tree",
      megabytes(storedBytes),
      `${whole(storedBytes / events)} bytes an event`,
    ],
  ];
}

function sealRows({ sealed, events }: AuditFigures): Row[] {
  const ms = sum(sealed.map((request) => request.ms));
  const statements = sum(sealed.map((request) => request.statements));
  const longest = sealed.toSorted((a, b) => b.ms - a.ms)[0];
  return [
    [
      "seal all",
      `${seconds(ms)}, ${perSecond(events, ms)}`,
      `${whole(sealed.length)} requests, ${whole(statements)} statements${processor(sealed)}`,
    ],
    [
      "longest request that seals",
      longest === undefined ? "" : seconds(longest.ms),
      longest === undefined ? "" : `${whole(longest.events)} events`,
    ],
  ];
}

function pageRows({ pages }: AuditFigures): Row[] {
  return pages.map((page): Row => {
    const compared = against(page.timing, pages[0]?.timing, "page 1");
    const events = `${page.events} events`;
    return [
      `list, ${page.what}`,
      timing(page.timing),
      compared ? `${compared}; ${events}` : events,
    ];
  });
}

function hashesOf({ fewestHashes, maxHashes }: Proofs): string {
  return fewestHashes === maxHashes
    ? `${maxHashes} hashes`
    : `${fewestHashes} to ${maxHashes} hashes`;
}

function proofRows({ inclusion, consistency, events }: AuditFigures): Row[] {
  const rows = inclusion.map((proofs): Row => {
    const first = inclusion[0];
    const compared = against(proofs.timing, first?.timing, `at ${whole(first?.size ?? 0)}`);
    const what = `prove inclusion in ${whole(proofs.size)}`;
    return [what, timing(proofs.timing), [hashesOf(proofs), compared].filter(Boolean).join("; ")];
  });
  const growth = consistency.map((proofs): Row => {
    const what = `prove consistency, ${whole(proofs.size)} to ${whole(events)}`;
    return [what, timing(proofs.timing), hashesOf(proofs)];
  });
  return [...rows, ...growth];
}

function courseRow(what: string, course: Course | undefined): Row[] {
  if (course === undefined) return [];
  const { firstQuarter, lastQuarter, highest } = course;
  const figure = `${megabytes(firstQuarter)} in the first quarter, ${megabytes(lastQuarter)} in the last`;
  const more = `${ratio(lastQuarter / firstQuarter)} the first; ${megabytes(highest)} at most`;
  return [[what, figure, more]];
}

function exportRows({ exported, verified, events }: AuditFigures): Row[] {
  const { ms, bytes, requests } = exported;
  return [
    [
      "export all",
      `${seconds(ms)}, ${perSecond(events, ms)}`,
      `${megabytes(bytes)}, ${whole(bytes / events)} bytes an event, requests: ${requests}${processor([exported])}`,
    ],
    ...courseRow("memory of the server process meanwhile", exported.memory),
    [
      "verify the export offline",
      `${seconds(verified.ms)}, ${perSecond(events, verified.ms)}`,
      `memory ${megabytes(verified.highestMemory)} at most`,
    ],
  ];
}

export function auditReport(figures: AuditFigures): string {
  const rows = [
    ...insertRows(figures),
    ...sealRows(figures),
    ...pageRows(figures),
    ...proofRows(figures),
    ...exportRows(figures),
  ];
  const head = `One tenant, ${whole(figures.events)} events. ${figures.at}. ${figures.machine}. ${figures.versions}.`;
  return `${head}\n\n${table(["what", "figure", "more"], rows)}\n`;
}
