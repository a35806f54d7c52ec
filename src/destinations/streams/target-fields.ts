/** Which fields a stream of each type has, and what a change may not do with them (pure). */
import { joinTarget, type StreamTarget, type StreamType, secretFields } from "./stream.ts";

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

const required = {
  http: ["url"],
  splunk_hec: ["url", "token"],
  datadog: ["url", "api_key"],
  s3: ["endpoint", "bucket", "region", "access_key_id", "secret_access_key"],
} as const satisfies Record<StreamType, readonly string[]>;

/** Fields that need not be sent, with what they are then. */
const optional: Readonly<Record<StreamType, Readonly<Record<string, unknown>>>> = {
  http: { headers: {} },
  splunk_hec: { index: null },
  datadog: {},
  s3: { prefix: "" },
};

export type Fields = Readonly<Record<string, unknown>>;

/** Where a stream sends, and the field that says so. */
export function addressOf(target: StreamTarget): {
  readonly field: "url" | "endpoint";
  readonly address: string;
} {
  return target.type === "s3"
    ? { field: "endpoint", address: target.endpoint }
    : { field: "url", address: target.url };
}

/** @returns the problems of the fields, or the target @param fields without those that were not sent */
export function createTarget(
  type: StreamType,
  fields: Fields,
): StreamTarget | readonly FieldProblem[] {
  const known = ["format", ...required[type], ...Object.keys(optional[type])];
  const problems = [
    ...required[type]
      .filter((field) => fields[field] === undefined)
      .map((field) => ({ field, message: `is missing; a stream of the type ${type} needs it` })),
    ...Object.keys(fields)
      .filter((field) => !known.includes(field))
      .map((field) => ({ field, message: `is no field of a stream of the type ${type}` })),
  ];
  return problems.length > 0 ? problems : joinTarget({ type, ...optional[type] }, fields);
}

/**
 * Changes fields of a target. Who sends it elsewhere must know its credentials: otherwise, a credential that nobody can
 * read could be sent to a host of the caller's own choice.
 */
export function changeTarget(
  target: StreamTarget,
  changes: Fields,
): StreamTarget | readonly FieldProblem[] {
  const { type, ...before } = target;
  const fields: Fields = before;
  const { field, address } = addressOf(target);
  const isMoved = changes[field] !== undefined && changes[field] !== address;
  const missing = secretFields.filter(
    (secret) => isMoved && hasSecret(fields, secret) && changes[secret] === undefined,
  );
  return missing.length > 0
    ? missing.map((secret) => ({
        field: secret,
        message: `must be sent too, because ${field} changes`,
      }))
    : createTarget(type, { ...fields, ...changes });
}

/** Whether the field is there, and not an empty collection of headers. */
function hasSecret(fields: Fields, field: string): boolean {
  const value = fields[field];
  return typeof value === "object" && value !== null
    ? Object.keys(value).length > 0
    : value !== undefined;
}
