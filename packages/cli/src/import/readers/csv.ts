/**
 * CSV with a header. A user with several authenticators has several lines, which follow each other.
 *
 * | column | content |
 * | --- | --- |
 * | external_id | required |
 * | uri | an otpauth key URI, instead of the following five |
 * | secret | the secret |
 * | encoding | `base32` (default), `hex` or `base64` |
 * | algorithm, digits, period | `SHA1`, 6 and 30 if empty |
 * | name | the name of the authenticator |
 * | backup_codes | codes in clear, separated by spaces |
 * | status | `active` (default) or `suspended` |
 */
import { secretEncodings } from "../../../../../src/otp/decode-secret.ts";
import { type CsvRecord, readCsv } from "../csv.ts";
import type { Form } from "../entry.ts";
import { groupUsers, type Part } from "../group.ts";
import { type Checked, checkKeyUri, checkSecret, refuse } from "../user.ts";

const optional = [
  ...["uri", "secret", "encoding", "algorithm", "digits", "period", "name"],
  ...["backup_codes", "status"],
];

function readNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^[0-9]{1,4}$/.test(text) ? Number(text) : Number.NaN;
}

function readAuthenticator(get: CsvRecord["get"]): readonly Checked[] {
  const [uri, secret, name] = [get("uri"), get("secret"), get("name")];
  const parameters = ["secret", "encoding", "algorithm", "digits", "period"];
  if (uri !== undefined) {
    return parameters.some((column) => get(column) !== undefined)
      ? [{ problem: "a line has both a uri and columns that are for a secret" }]
      : [checkKeyUri(uri, name)];
  }
  if (secret === undefined) return [];
  const encoding = secretEncodings.find((one) => one === (get("encoding") ?? "base32"));
  if (encoding === undefined) return [{ problem: "an authenticator's encoding is unknown" }];
  return [
    checkSecret({
      ...{ secret, encoding, name, algorithm: get("algorithm") },
      ...{ digits: readNumber(get("digits")), period: readNumber(get("period")) },
    }),
  ];
}

function readRecord({ line, get, isWhole }: CsvRecord): Part {
  const [place, id] = [`line ${line}`, get("external_id")];
  if (!isWhole) return refuse(place, id, "the line has not as many fields as the header");
  const status = get("status") ?? "active";
  if (status !== "active" && status !== "suspended") {
    return refuse(place, id, "its status is neither active nor suspended");
  }
  const codes = get("backup_codes")?.split(/\s+/) ?? [];
  return {
    ...{ place, id, isSuspended: status === "suspended", authenticators: readAuthenticator(get) },
    ...(codes.length === 0 ? {} : { codes: { codes } }),
  };
}

async function* readRecords(chunks: AsyncIterable<string>): AsyncGenerator<Part> {
  const header = { required: ["external_id"], optional };
  for await (const record of readCsv(chunks, header)) yield readRecord(record);
}

export const csv: Form = {
  name: "csv",
  title: "CSV with the column external_id and others",
  idFields: ["external_id"],
  read: (chunks) => groupUsers(readRecords(chunks)),
};
