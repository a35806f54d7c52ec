/** Reads a row of `POST /v1/idp/users/import`. No message contains a value of the row, because values are secrets. */
import { z } from "zod";
import type { SentRow, SentSecret } from "../guard/imports.ts";
import { externalId } from "../http/schemas.ts";
import { decodeSecret, type SecretEncoding, secretEncodings } from "../otp/decode-secret.ts";
import {
  hashSchemes,
  type ImportedCode,
  iterationsOf,
  maxImportedCodes,
  maxIterationsOfSet,
  readImportedCode,
  readImportedHash,
} from "../otp/imported-codes.ts";
import { type ParsedKeyUri, parseKeyUri, readAlgorithm } from "../otp/parse-key-uri.ts";
import {
  defaultParameters,
  maxCodeLength,
  maxPeriodSeconds,
  minCodeLength,
  minPeriodSeconds,
} from "../otp/totp.ts";
import { createTextSchema } from "../text-schema.ts";

/** Why a row fails. The codes are part of the API. */
export const rowProblems = {
  invalid_request: "A field of the row is not valid.",
  invalid_secret:
    "A secret is not valid in its encoding, or does not have 10 to 128 bytes; check encoding.",
  invalid_uri: "A uri is not a key URI with a secret; send one that begins with otpauth://totp/.",
  unsupported_type: "A uri is not one of plain TOTP; only otpauth://totp can be imported.",
  unsupported_parameters:
    "An authenticator has an algorithm other than SHA1, SHA256 and SHA512, other than 6 to 8 digits, or a period outside 15 to 300 seconds.",
  invalid_backup_code:
    "A backup code does not have 6 to 64 letters and digits, or could be taken for a TOTP code.",
  unsupported_scheme: "The scheme of the hashes is none of sha256, sha512 and pbkdf2.",
  invalid_hash:
    "A hash is none of its scheme, or the hashes need too many iterations: at most 100,000 each and 200,000 in all.",
  too_many:
    "The user would have more than five authenticators, or the row has more than 20 backup codes.",
  backup_codes_exist:
    "The user has other backup codes; leave those of the row out, because an import replaces none.",
} as const;
export type RowProblem = keyof typeof rowProblems;

/** Thrown for a row that cannot be imported. */
class RowError extends Error {
  readonly problem: RowProblem;

  constructor(problem: RowProblem, field?: string) {
    super(field === undefined ? rowProblems[problem] : `${field} is not valid.`);
    this.name = "RowError";
    this.problem = problem;
  }
}

/** An authenticator as it was sent. */
export interface SentAuthenticator {
  readonly secret?: string | undefined;
  readonly uri?: string | undefined;
  readonly encoding?: string | undefined;
  readonly algorithm?: string | undefined;
  readonly digits?: number | undefined;
  readonly period?: number | undefined;
  readonly name?: string | undefined;
}

export interface SentUser {
  readonly external_id: string;
  readonly status?: string | undefined;
  readonly authenticators?: readonly SentAuthenticator[] | undefined;
  readonly backup_codes?:
    | readonly string[]
    | { readonly scheme: string; readonly hashes: readonly string[] }
    | undefined;
}

const status = z.enum(["active", "suspended"]).default("active");
const encoding = z.enum(secretEncodings).default("base32");
const maxNameLength = 64;
const name = createTextSchema(1, maxNameLength);

function readField<T extends z.ZodType>(schema: T, value: unknown, field: string): z.output<T> {
  const read = schema.safeParse(value);
  if (!read.success) throw new RowError("invalid_request", field);
  return read.data;
}

/** @throws RowError */
function readUri(text: string): ParsedKeyUri {
  const parsed = parseKeyUri(text);
  if (parsed === undefined) throw new RowError("invalid_uri");
  if (parsed === "other_type") throw new RowError("unsupported_type");
  return parsed;
}

/** The name of an authenticator whose row has none: what the app shows, as far as it can be a name. */
function nameOf({ issuer, account }: ParsedKeyUri): string | null {
  const shown =
    issuer !== null && account !== null ? `${issuer} (${account})` : (issuer ?? account);
  const cut = [...(shown ?? "")].slice(0, maxNameLength).join("");
  return name.safeParse(cut).data ?? null;
}

/** @throws RowError */
function decode(text: string, spelled: SecretEncoding): Uint8Array<ArrayBuffer> {
  const bytes = decodeSecret(text, spelled);
  if (bytes === undefined) throw new RowError("invalid_secret");
  return bytes;
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** Reads an authenticator. A field beside a `uri` has to agree with it. @throws RowError */
function readAuthenticator(sent: SentAuthenticator): SentSecret {
  const uri = sent.uri === undefined ? undefined : readUri(sent.uri);
  const spelled = readField(encoding, sent.encoding, "authenticators.encoding");
  const ofUri = uri && decode(uri.secret, "base32");
  const ofField = sent.secret === undefined ? undefined : decode(sent.secret, spelled);
  const bytes = ofField ?? ofUri;
  if (bytes === undefined) throw new RowError("invalid_secret");
  if (ofField && ofUri && String(ofField) !== String(ofUri)) throw new RowError("invalid_secret");
  const ofSent = sent.algorithm === undefined ? undefined : readAlgorithm(sent.algorithm);
  const algorithm = ofSent ?? readAlgorithm(uri?.algorithm ?? defaultParameters.algorithm);
  const digits = sent.digits ?? uri?.digits ?? defaultParameters.digits;
  const period = sent.period ?? uri?.period ?? defaultParameters.period;
  const isKnown = sent.algorithm === undefined || ofSent !== undefined;
  const isSupported =
    isKnown &&
    isWithin(digits, minCodeLength, maxCodeLength) &&
    isWithin(period, minPeriodSeconds, maxPeriodSeconds);
  if (algorithm === undefined || !isSupported) throw new RowError("unsupported_parameters");
  const own = readField(name.optional(), sent.name, "authenticators.name");
  return { bytes, algorithm, digits, period, name: own ?? (uri ? nameOf(uri) : null) };
}

/** @throws RowError */
function readCodes(sent: SentUser["backup_codes"]): readonly ImportedCode[] {
  if (sent === undefined) return [];
  const given = "hashes" in sent ? sent.hashes : sent;
  if (given.length > maxImportedCodes) throw new RowError("too_many");
  if (!("hashes" in sent)) {
    return sent.map((text) => {
      const value = readImportedCode(text);
      if (value === undefined) throw new RowError("invalid_backup_code");
      return { recipe: "", value };
    });
  }
  const scheme = hashSchemes.find((known) => known === sent.scheme);
  if (scheme === undefined) throw new RowError("unsupported_scheme");
  const codes = sent.hashes.map((text) => {
    const code = readImportedHash(scheme, text);
    if (code === undefined) throw new RowError("invalid_hash");
    return code;
  });
  const recipes = new Set(codes.map(({ recipe }) => recipe));
  const iterations = [...recipes].reduce((sum, recipe) => sum + iterationsOf(recipe), 0);
  if (iterations > maxIterationsOfSet) throw new RowError("invalid_hash");
  return codes;
}

/** A row that can be imported, or the reason why it cannot. */
export type ReadRow =
  | { readonly row: SentRow }
  | { readonly problem: RowProblem; readonly message: string };

export function readRow(sent: SentUser): ReadRow {
  try {
    readField(externalId, sent.external_id, "external_id");
    return {
      row: {
        status: readField(status, sent.status, "status"),
        secrets: (sent.authenticators ?? []).map(readAuthenticator),
        codes: readCodes(sent.backup_codes),
      },
    };
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    return { problem: error.problem, message: error.message };
  }
}
