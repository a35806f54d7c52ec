/** Parsers of arguments. Commander prints the sentence of an `InvalidArgumentError`, and the exit code is 2. */
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { idPattern } from "../../../src/crypto/id-time.ts";

const rfc3339 = z.regexes.datetime({ offset: true });

/** For an option that may be repeated: all its values. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** A whole number above 0. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("Expected a whole number above 0.");
}

/** A whole number from 0. */
export function parseIndex(text: string): number {
  return text === "0" ? 0 : parseCount(text);
}

export function parseTenantId(text: string): string {
  if (idPattern.test(text)) return text;
  throw new InvalidArgumentError(
    'The id of a tenant has 24 hex digits; "edge-idp tenants list" shows it.',
  );
}

export function parseTokenId(text: string): string {
  if (idPattern.test(text)) return text;
  throw new InvalidArgumentError(
    'The id of a token has 24 hex digits; "edge-idp tenants tokens list" shows it.',
  );
}

/** An RFC 3339 time, as the API takes it. */
export function parseInstant(text: string): string {
  if (rfc3339.test(text)) return text;
  throw new InvalidArgumentError("Expected an RFC 3339 time such as 2026-08-15T09:30:00Z.");
}
