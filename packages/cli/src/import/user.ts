/** Builds the entry of one user from what a reader found. Each sentence is about a user, and shows no secret. */
import { maxAuthenticators } from "../../../../src/guard/decisions/authenticators.ts";
import {
  decodeSecret,
  maxSecretBytes,
  minSecretBytes,
  type SecretEncoding,
} from "../../../../src/otp/decode-secret.ts";
import {
  type HashScheme,
  maxImportedCodes,
  readImportedCode,
  readImportedHash,
} from "../../../../src/otp/imported-codes.ts";
import { parseKeyUri, readAlgorithm } from "../../../../src/otp/parse-key-uri.ts";
import {
  defaultParameters,
  maxCodeLength,
  maxPeriodSeconds,
  minCodeLength,
  minPeriodSeconds,
} from "../../../../src/otp/totp.ts";
import { createTextSchema } from "../../../../src/text-schema.ts";
import type { Entry, ImportAuthenticator, ImportCodes } from "./entry.ts";

const maxNameLength = 64;
const externalIdSchema = createTextSchema(1, 255);

/** A secret as another system has it. What is absent has the default of every app. */
export interface FoundSecret {
  readonly secret: string;
  readonly encoding: SecretEncoding;
  readonly algorithm?: string | undefined;
  readonly digits?: number | undefined;
  readonly period?: number | undefined;
  readonly name?: string | undefined;
}

/** An authenticator, or the reason why it cannot come along. */
export type Checked = ImportAuthenticator | { readonly problem: string };

export function isProblem(checked: Checked): checked is { readonly problem: string } {
  return "problem" in checked;
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** The name that the service can keep: without control characters, and not too long. */
function shortenName(name: string | undefined): string | undefined {
  const visible =
    name
      ?.toWellFormed()
      .replaceAll(/\p{Cc}/gu, " ")
      .trim() ?? "";
  const short = [...visible].slice(0, maxNameLength).join("").trim();
  return short === "" ? undefined : short;
}

export function checkSecret(found: FoundSecret): Checked {
  const { secret, encoding } = found;
  const algorithm = readAlgorithm(found.algorithm ?? defaultParameters.algorithm);
  const { digits = defaultParameters.digits, period = defaultParameters.period } = found;
  if (algorithm === undefined) return { problem: "an authenticator has an unknown algorithm" };
  if (!isWithin(digits, minCodeLength, maxCodeLength)) {
    return {
      problem: `an authenticator's codes do not have ${minCodeLength} to ${maxCodeLength} digits`,
    };
  }
  if (!isWithin(period, minPeriodSeconds, maxPeriodSeconds)) {
    return {
      problem: `an authenticator's period is not ${minPeriodSeconds} to ${maxPeriodSeconds} seconds`,
    };
  }
  if (decodeSecret(secret, encoding) === undefined) {
    return {
      problem: `an authenticator's secret is not ${encoding} of ${minSecretBytes} to ${maxSecretBytes} bytes`,
    };
  }
  const name = shortenName(found.name);
  return { secret, encoding, algorithm, digits, period, ...(name === undefined ? {} : { name }) };
}

/** @param name shown instead of the issuer of the URI */
export function checkKeyUri(uri: string, name?: string): Checked {
  const parsed = parseKeyUri(uri);
  if (parsed === undefined) return { problem: "an authenticator has no otpauth key URI" };
  if (parsed === "other_type") {
    return { problem: "an authenticator is not TOTP, such as one that counts (HOTP)" };
  }
  const { secret, algorithm, digits, period, issuer } = parsed;
  return checkSecret({
    ...{ secret, encoding: "base32", algorithm, digits, period },
    name: name ?? issuer ?? undefined,
  });
}

export interface FoundCodes {
  /** Absent: the codes are in clear. */
  readonly scheme?: HashScheme;
  readonly codes: readonly string[];
}

/** The codes that can come along, without repetitions, and a note if some cannot. */
function checkCodes({ scheme, codes }: FoundCodes): {
  readonly row?: ImportCodes;
  readonly note?: string;
} {
  const readable = [...new Set(codes)].filter((code) =>
    scheme === undefined ? readImportedCode(code) : readImportedHash(scheme, code),
  );
  if (readable.length > maxImportedCodes) {
    return {
      note: `its ${readable.length} backup codes cannot come along, because a set has at most ${maxImportedCodes}`,
    };
  }
  const lost = codes.length - readable.length;
  return {
    ...(readable.length === 0
      ? {}
      : { row: scheme === undefined ? readable : { scheme, hashes: readable } }),
    ...(lost === 0
      ? {}
      : {
          note: `${lost} of its ${codes.length} backup codes cannot come along: ${whyNot(scheme)}`,
        }),
  };
}

function whyNot(scheme: HashScheme | undefined): string {
  return scheme === undefined
    ? "a code has 6 to 64 letters and digits, is no number of 6 to 8 digits, and stands once"
    : `they are no ${scheme} hashes that can be verified`;
}

export interface FoundParts {
  readonly place: string;
  readonly id: string | undefined;
  readonly isSuspended?: boolean;
  readonly authenticators: readonly Checked[];
  readonly codes?: FoundCodes;
  /** What else the user has that cannot come along. */
  readonly notes?: readonly string[];
}

export function refuse(place: string, id: string | undefined, reason: string): Entry {
  return { kind: "refused", place, id: id ?? "", reason };
}

export function leaveOut(place: string, id: string | undefined, reason: string): Entry {
  return { kind: "left_out", place, id: id ?? "", reason };
}

function isExternalId(id: string | undefined): id is string {
  return externalIdSchema.safeParse(id).success;
}

/**
 * A user whose every authenticator is lost is refused: without it, a person who had to prove a second factor would not
 * have to any more. So is one who had nothing but factors of another kind.
 */
export function buildUser(parts: FoundParts): Entry {
  const { place, id, isSuspended = false, authenticators, codes, notes = [] } = parts;
  if (!isExternalId(id)) {
    const why = "its id is missing, longer than 255 characters, or has control characters";
    return refuse(place, id, why);
  }
  const good = authenticators.filter((one): one is ImportAuthenticator => !isProblem(one));
  const bad = [...authenticators.filter(isProblem).map(({ problem }) => problem), ...notes];
  if (good.length === 0 && bad.length > 0) return refuse(place, id, bad.join("; "));
  if (good.length > maxAuthenticators) {
    const why = `it has ${good.length} authenticators, and a user can have ${maxAuthenticators}`;
    return refuse(place, id, why);
  }
  const checked = codes === undefined ? {} : checkCodes(codes);
  return {
    ...{ kind: "user", place, id },
    row: {
      external_id: id,
      status: isSuspended ? "suspended" : "active",
      authenticators: good,
      ...(checked.row === undefined ? {} : { backup_codes: checked.row }),
    },
    notes: [...bad, ...(checked.note === undefined ? [] : [checked.note])],
  };
}
