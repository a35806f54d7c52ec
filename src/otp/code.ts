/** Codes as people send them: typed, or pasted from what an app or a page shows. */
import { normaliseBackupCode } from "./backup-codes.ts";
import { totpCodePattern } from "./totp.ts";

export interface Code {
  readonly method: "totp" | "backup_code";
  /** The one spelling that is counted, compared and stored as a hash. */
  readonly code: string;
}

/** The property White_Space of Unicode. `\s` has U+FEFF too, but not U+0085. */
const whiteSpace =
  "[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const typographicDash = "[\\u2010-\\u2015\\u2212]";

/** Matches exactly the texts that `parseCode` reads, for the OpenAPI document. */
export const codePattern = buildCodePattern();

function buildCodePattern(): string {
  const spaces = `${whiteSpace}*`;
  const times = (characters: string, count: number | string) =>
    `(?:${characters}${spaces}){${count}}`;
  const dash = `(?:(?:-|${typographicDash})${spaces})?`;
  const backupCode = `${times("[A-HJ-NPR-Za-hj-npr-z]", 4)}${dash}${times("[0-9]", 4)}`;
  return `^${spaces}(?:${times("[0-9]", "6,8")}|${backupCode})$`;
}

const everySpace = new RegExp(whiteSpace, "g");
const everyDash = new RegExp(typographicDash, "g");

/**
 * Reads a TOTP code or a backup code; undefined for any other text. White space is dropped, and a typographic
 * dash counts as `-`.
 */
export function parseCode(text: string): Code | undefined {
  const code = text.replaceAll(everySpace, "").replaceAll(everyDash, "-");
  if (totpCodePattern.test(code)) return { method: "totp", code };
  const backupCode = normaliseBackupCode(code);
  return backupCode === undefined ? undefined : { method: "backup_code", code: backupCode };
}
