/**
 * The journal of an import: which batches of a file are done. With it, an import that was interrupted goes on. It has
 * no ids of users and no secrets.
 *
 * The first line says what is imported where; each further line is a batch that is done, or the end. A line that a
 * kill cut off is dropped, and its batch is sent again under the same idempotency key, so that nothing is done twice.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { addCounts, type Counts, noCounts } from "./counts.ts";

const headSchema = z.strictObject({
  journal: z.literal(1),
  /** Random: the idempotency keys begin with it. */
  run: z.string(),
  sha256: z.string(),
  tenant: z.string(),
  url: z.string(),
  from: z.string(),
  external_id: z.string(),
  map: z.string().nullable(),
  on_existing: z.enum(["skip", "add"]),
});
export type JournalHead = z.output<typeof headSchema>;
/** What must be the same for an import to go on. */
export type Subject = Omit<JournalHead, "journal" | "run">;

const batchSchema = z.strictObject({
  batch: z.int(),
  created: z.int(),
  added: z.int(),
  skipped: z.int(),
  failed: z.int(),
  refused: z.int(),
  left_out: z.int(),
  /** The report of the start that sent this batch, and its length after it. */
  report: z.string().nullable(),
  report_bytes: z.int(),
});

/** Where a report is, and how long; without one, the path is null. */
export interface ReportState {
  readonly path: string | null;
  readonly bytes: number;
}

const endSchema = z.strictObject({ done: z.literal(true) });
const lineSchema = z.union([batchSchema, endSchema]);

const subjectNames: Readonly<Record<keyof Subject, string>> = {
  sha256: "another file, or the file was changed",
  tenant: "another tenant",
  url: "another service",
  from: "another form",
  external_id: "another --external-id",
  map: "another --map",
  on_existing: "another --on-existing",
};
const subjectKeys = [
  "sha256",
  "tenant",
  "url",
  "from",
  "external_id",
  "map",
  "on_existing",
] as const;

function parseLine<T extends z.ZodType>(schema: T, text: string): z.output<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export class Journal {
  readonly path: string;
  readonly run: string;
  /** Whether batches were done before. */
  readonly isResumed: boolean;
  #counts: Counts = noCounts;
  #report: string | null = null;
  #reportBytes = 0;
  #isDone = false;
  readonly #done = new Set<number>();
  readonly #file: number;

  /**
   * Opens the journal at the path, or begins one.
   *
   * @param run of a new journal
   * @throws Failure if the journal belongs to another import, or cannot be written
   */
  constructor(path: string, subject: Subject, run: string) {
    this.path = path;
    try {
      const text = existsSync(path) ? readFileSync(path, "utf8") : "";
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      const [first = "", ...lines] = whole.split("\n").slice(0, -1);
      if (whole === "") {
        this.run = run;
        const head: JournalHead = { journal: 1, run, ...subject };
        writeFileSync(path, `${JSON.stringify(head)}\n`, { mode: 0o600 });
      } else {
        this.run = this.#readHead(first, subject);
        for (const line of lines) this.#readLine(line);
      }
      this.#file = openSync(path, "a");
      if (whole !== "") ftruncateSync(this.#file, Buffer.byteLength(whole));
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure(`${path}: ${error instanceof Error ? error.message : error}`);
    }
    this.isResumed = this.#done.size > 0;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** How much of a report is about batches that are done. */
  reportBytesOf(path: string): number {
    return path === this.#report ? this.#reportBytes : 0;
  }

  /** Whether all batches are done. */
  get isDone(): boolean {
    return this.#isDone;
  }

  isBatchDone(index: number): boolean {
    return this.#done.has(index);
  }

  /** The same in every attempt at the batch. */
  keyOf(index: number): string {
    return `import-${this.run}-${index}`;
  }

  recordBatch(batch: number, counts: Counts, report: ReportState): void {
    const line = { batch, ...counts, report: report.path, report_bytes: report.bytes };
    this.#append(line);
    this.#take(line);
  }

  recordEnd(): void {
    this.#append({ done: true });
    this.#isDone = true;
  }

  close(): void {
    closeSync(this.#file);
  }

  #append(line: z.output<typeof lineSchema>): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  #readHead(line: string, subject: Subject): string {
    const head = parseLine(headSchema, line);
    if (head === undefined) {
      throw new Failure(`${this.path} is no journal of an import; name another with --journal.`);
    }
    const different = subjectKeys.find((key) => head[key] !== subject[key]);
    if (different === undefined) return head.run;
    throw new Failure(
      `${this.path} belongs to another import: ${subjectNames[different]}. Name another journal with --journal, or delete this one; users who exist are not imported twice.`,
    );
  }

  #readLine(text: string): void {
    const line = parseLine(lineSchema, text);
    if (line === undefined) throw new Failure(`${this.path} has a line that is no journal's.`);
    if ("done" in line) {
      this.#isDone = true;
      return;
    }
    this.#take(line);
  }

  #take({ batch, report, report_bytes: reportBytes, ...counts }: z.output<typeof batchSchema>) {
    this.#done.add(batch);
    this.#counts = addCounts(this.#counts, counts);
    this.#report = report;
    this.#reportBytes = reportBytes;
  }
}
