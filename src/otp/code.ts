/** Codes as people send them: typed, or pasted from what an app or a page shows. */
import { normaliseBackupCode } from "./backup-codes.ts";
import { stripImportedCode } from "./imported-codes.ts";
import { totpCodePattern } from "./totp.ts";

/** The `code` is the one spelling that is counted, compared and stored as a hash. */
export type Code =
  | { readonly method: "totp"; readonly code: string }
  | {
      readonly method: "backup_code";
      readonly code: string;
      /** Without white space and with plain dashes: another provider may have hashed an imported code in this spelling. */
      readonly typed: string;
    };

/** The property White_Space of Unicode. `\s` has U+FEFF too, but not U+0085. */
const whiteSpace =
  "[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const typographicDash = "[\\u2010-\\u2015\\u2212]";

/** Matches exactly the texts that `parseCode` reads, for the OpenAPI document. */
export const codePattern = buildCodePattern();

function buildCodePattern(): string {
  const inner = whiteSpace.slice(1, -1);
  const dashes = typographicDash.slice(1, -1);
  return `^${whiteSpace}*(?:[A-Za-z0-9][${inner}${dashes}-]*){6,64}$`;
}

const everySpace = new RegExp(whiteSpace, "g");
const everyDash = new RegExp(typographicDash, "g");

/**
 * Reads a TOTP code or a backup code; undefined for any other text. White space is dropped, and a typographic
 * dash counts as `-`. A code that does not have the form of the service's own can be one that was imported.
 */
export function parseCode(text: string): Code | undefined {
  const typed = text.replaceAll(everySpace, "").replaceAll(everyDash, "-");
  if (totpCodePattern.test(typed)) return { method: "totp", code: typed };
  if (typed.startsWith("-")) return undefined;
  const code = normaliseBackupCode(typed) ?? stripImportedCode(typed);
  return code === undefined ? undefined : { method: "backup_code", code, typed };
}
