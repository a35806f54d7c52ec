/** Reads CSV (RFC 4180) record by record. */
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { z } from "zod";
import type { Chunks } from "./entry.ts";
import { ReadError } from "./read-error.ts";

const maxRecordLength = 64 * 1024;
/** What csv-parse gives with `info`. */
const parsedSchema = z.object({
  record: z.array(z.string()),
  info: z.object({ lines: z.int() }),
});

export interface CsvRecord {
  /** The last line of the record, from 1. */
  readonly line: number;
  /** Absent columns and empty fields are undefined. */
  readonly get: (column: string) => string | undefined;
  /** Whether it has as many fields as the header. */
  readonly isWhole: boolean;
}

function explain({ code }: CsvError): string {
  if (code === "CSV_QUOTE_NOT_CLOSED") return "a quoted field has no end";
  if (code === "CSV_MAX_RECORD_SIZE") return `it is longer than ${maxRecordLength} characters`;
  return "a quote is where none may be; quote the whole field, and double the quotes in it";
}

export interface Header {
  readonly required: readonly string[];
  /** Further columns; undefined if any are allowed. */
  readonly optional?: readonly string[];
}

function checkHeader(names: readonly string[], { required, optional }: Header): void {
  const missing = required.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new ReadError(`has no column ${missing.join(", ")} in its header.`);
  const unknown = names.filter((name) => !required.includes(name) && !optional?.includes(name));
  if (optional !== undefined && unknown.length > 0) {
    const known = [...required, ...optional].join(", ");
    throw new ReadError(`has an unknown column in its header; the columns are ${known}.`);
  }
  if (new Set(names).size < names.length) throw new ReadError("has a column twice in its header.");
}

/** @throws ReadError if the text is not CSV, or its header is another one */
export async function* readCsv(chunks: Chunks, header: Header): AsyncGenerator<CsvRecord> {
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: maxRecordLength,
  });
  const source = Readable.from(chunks);
  // An error of the source must end the loop below.
  source.on("error", (error) => parser.destroy(error));
  let names: readonly string[] | undefined;
  try {
    for await (const parsed of source.pipe(parser)) {
      const { record, info } = parsedSchema.parse(parsed);
      if (names === undefined) {
        names = record.map((name) => name.trim().toLowerCase());
        checkHeader(names, header);
        continue;
      }
      const columns = names;
      yield {
        line: info.lines,
        get: (column) => record[columns.indexOf(column)]?.trim() || undefined,
        isWhole: record.length === columns.length,
      };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new ReadError(`is not CSV in line ${Number(error.lines ?? 0)}: ${explain(error)}.`);
  } finally {
    source.destroy();
  }
  if (names === undefined) throw new ReadError("is empty.");
}
