/** Reads past logins from CSV, line by line, so that a file of any size needs the same memory. */
import type { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { z } from "zod";
import {
  address,
  agent,
  optionalClientFields,
  readClientFields,
} from "../../../../../src/api/session-schemas.ts";
import { externalId, requestInstant } from "../../../../../src/http/schemas.ts";
import type { ClientFields } from "../../../../../src/sentinel/client-fields.ts";
import type { Address } from "../../../../../src/sentinel/network/address.ts";
import { Failure } from "../../failure.ts";

/** `verified`: with a second factor. `failure`: it was not let in. */
export const outcomes = ["success", "verified", "failure"] as const;
export const labels = ["legitimate", "fraud"] as const;

export interface PastLogin {
  readonly line: number;
  /** Unix ms. */
  readonly at: number;
  readonly user: string;
  readonly address: Address;
  readonly agent: string;
  readonly outcome: (typeof outcomes)[number];
  readonly label: (typeof labels)[number] | null;
  readonly client: ClientFields;
}

const requiredColumns = ["time", "user", "ip", "ua", "outcome"] as const;
const optionalColumns = ["label", "accept_language", "time_zone", "client_hints", "ja4"] as const;
const columns = [...requiredColumns, ...optionalColumns];

const maxRecordBytes = 64 * 1024;

function orAbsent<T extends z.ZodType>(schema: T) {
  return z.preprocess((text) => (text === "" ? undefined : text), schema);
}

function parseJson(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : text;
  } catch {
    return text;
  }
}

const rowSchema = z.object({
  time: requestInstant,
  user: externalId,
  ip: address,
  ua: agent,
  outcome: z.enum(outcomes),
  label: orAbsent(z.enum(labels).optional()),
  accept_language: orAbsent(optionalClientFields.accept_language),
  time_zone: orAbsent(optionalClientFields.time_zone),
  client_hints: orAbsent(z.preprocess(parseJson, optionalClientFields.client_hints)),
  ja4: orAbsent(optionalClientFields.ja4),
});

/** @throws Failure for a header that lacks a column or names one twice */
function readHeader(names: readonly string[]): ReadonlyMap<string, number> {
  const found = names.map((name) => name.trim().toLowerCase());
  for (const name of requiredColumns) {
    if (!found.includes(name)) {
      throw new Failure(
        `line 1: the column ${name} is missing; the header names the columns ${requiredColumns.join(", ")}, and may name ${optionalColumns.join(", ")}`,
      );
    }
  }
  const twice = columns.find((name) => found.indexOf(name) !== found.lastIndexOf(name));
  if (twice !== undefined) throw new Failure(`line 1: the column ${twice} is there twice`);
  return new Map(columns.map((name) => [name, found.indexOf(name)]));
}

function describeIssue({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return "is invalid";
  const expected =
    issue.code === "invalid_value" ? `must be one of ${issue.values.join(", ")}` : issue.message;
  return `${issue.path.map(String).join(".")} ${expected}`;
}

function toLogin(line: number, row: z.output<typeof rowSchema>): PastLogin {
  const { time: at, user, ip, ua, outcome, label = null, ...client } = row;
  return {
    line,
    at,
    user,
    address: ip,
    agent: ua,
    outcome,
    label,
    client: readClientFields(client),
  };
}

/** Our own sentence: that of the library has the text of the file in it. */
function describeCsvError({ code }: CsvError): string {
  switch (code) {
    case "CSV_QUOTE_NOT_CLOSED":
      return "a quoted field has no end";
    case "CSV_MAX_RECORD_SIZE":
      return `the line is longer than ${maxRecordBytes / 1024} KiB`;
    default:
      return "a quote is where none may be; quote the whole field, and double the quotes in it";
  }
}

/** What csv-parse gives with `info`. */
const recordSchema = z.object({
  record: z.array(z.string()),
  info: z.object({ lines: z.int() }),
});

/**
 * The logins of the file, the oldest first.
 * @param onInvalid is told each line that is left out, and why
 * @throws Failure, naming the line, if the file is no such CSV, or its lines are not in the order of time
 */
export async function* readLogins(
  file: Readable,
  onInvalid: (line: number, why: string) => void,
): AsyncGenerator<PastLogin> {
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: maxRecordBytes,
  });
  // An error of the file must end the loop below.
  file.on("error", (error) => parser.destroy(error));
  let header: ReadonlyMap<string, number> | undefined;
  let width = 0;
  let latest = Number.NEGATIVE_INFINITY;
  try {
    for await (const parsed of file.pipe(parser)) {
      const { record, info } = recordSchema.parse(parsed);
      if (header === undefined) {
        header = readHeader(record);
        width = record.length;
        continue;
      }
      if (record.length !== width) {
        onInvalid(info.lines, `has ${record.length} fields where the header has ${width}`);
        continue;
      }
      const fields = [...header].map(([name, index]) => [name, record[index]] as const);
      const { data: row, error } = rowSchema.safeParse(Object.fromEntries(fields));
      if (row === undefined) {
        onInvalid(info.lines, describeIssue(error));
        continue;
      }
      const login = toLogin(info.lines, row);
      if (login.at < latest) {
        throw new Failure(
          `line ${login.line}: the time is before that of an earlier line; sort the file by time, the oldest first`,
        );
      }
      latest = login.at;
      yield login;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new Failure(`line ${Number(error.lines ?? 0)}: not CSV: ${describeCsvError(error)}`);
  }
  if (header === undefined) throw new Failure("line 1: the file is empty");
}
