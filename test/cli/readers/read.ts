/** Reads texts with the readers of `edge-idp users import`, and shows what comes out. */
import { base32nopad } from "@scure/base";
import type { Entry, Form, FoundUser, ImportRow } from "../../../packages/cli/src/import/entry.ts";
import { decodeSecret } from "../../../src/otp/decode-secret.ts";
import type { ExpectedUser } from "../expected-users.ts";

/** A text in pieces that are shorter than what a reader looks for. */
export async function* inPieces(text: string, length = 7): AsyncGenerator<string> {
  for (let start = 0; start < text.length; start += length) {
    yield text.slice(start, start + length);
  }
}

export async function readAll(
  form: Form,
  text: string,
  idField: string = form.idFields[0],
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of form.read(inPieces(text), { idField })) entries.push(entry);
  return entries;
}

export function usersOf(entries: readonly Entry[]): readonly FoundUser[] {
  return entries.filter((entry) => entry.kind === "user");
}

/** `kind place id: reason` of each entry that is no user. */
export function reasonsOf(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) =>
    entry.kind === "user"
      ? []
      : [`${entry.kind} ${entry.place} ${entry.id || "-"}: ${entry.reason}`],
  );
}

/** A row as the other software describes the user. Codes that are hashed are left out. */
export function describeRow({
  external_id,
  status,
  authenticators,
  backup_codes: codes = [],
}: ImportRow): ExpectedUser {
  return {
    ...{ external_id, status },
    secrets: authenticators.map(({ secret, encoding, algorithm, digits, period }) => ({
      base32: base32nopad.encode(decodeSecret(secret, encoding) ?? new Uint8Array()),
      ...{ algorithm, digits, period },
    })),
    codes: "hashes" in codes ? [] : [...codes],
  };
}
