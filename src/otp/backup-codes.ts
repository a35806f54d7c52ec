/**
 * Backup codes: four letters, a dash, four digits. I, O and Q are left out, because they are misread. There
 * are 23⁴ · 10⁴ ≈ 2.8 · 10⁹ codes; the lockout limits how fast they can be guessed.
 */
import { joinParts, toHex } from "../crypto/bytes.ts";
import { hmacSha256Of } from "../crypto/digest.ts";

export const codesPerSet = 10;
const letters = "ABCDEFGHJKLMNPRSTUVWXYZ";
const digits = "0123456789";
const pattern = /^([A-HJ-NPR-Z]{4})-?([0-9]{4})$/i;

/** The code in upper case with its dash; undefined for a text that is not a code. ASCII only. */
export function normaliseBackupCode(text: string): string | undefined {
  const [, first, last] = pattern.exec(text) ?? [];
  return first === undefined || last === undefined ? undefined : `${first.toUpperCase()}-${last}`;
}

/** Draws one character without bias: bytes beyond the last multiple of the length are discarded. */
function drawCharacter(alphabet: string): string {
  const limit = 256 - (256 % alphabet.length);
  for (;;) {
    const [byte = limit] = crypto.getRandomValues(new Uint8Array(1));
    if (byte < limit) return alphabet.charAt(byte % alphabet.length);
  }
}

function drawCode(): string {
  const part = (alphabet: string) =>
    Array.from({ length: 4 }, () => drawCharacter(alphabet)).join("");
  return `${part(letters)}-${part(digits)}`;
}

/** Creates ten distinct codes from the CSPRNG. */
export function createBackupCodes(): string[] {
  const codes = new Set<string>();
  while (codes.size < codesPerSet) codes.add(drawCode());
  return [...codes];
}

/** The stored form of a code: HMAC-SHA-256, hex, bound to the identity, so that equal codes differ. */
export function hashBackupCode(
  key: Uint8Array,
  tenantId: string,
  identityId: string,
  normalisedCode: string,
): string {
  return toHex(hmacSha256Of(key, joinParts(tenantId, identityId, "backup_code", normalisedCode)));
}
