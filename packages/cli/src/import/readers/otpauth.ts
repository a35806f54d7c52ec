/**
 * A text file of otpauth key URIs, one a line, whose account is the user
 * (https://github.com/google/google-authenticator/wiki/Key-Uri-Format). Lines that begin with `#` are comments.
 */
import { parseKeyUri } from "../../../../../src/otp/parse-key-uri.ts";
import type { Form } from "../entry.ts";
import { groupUsers, type Part } from "../group.ts";
import { readLines } from "../lines.ts";
import { ReadError } from "../read-error.ts";
import { checkKeyUri, refuse } from "../user.ts";

function readUri(uri: string, place: string, idField: string): Part {
  const parsed = parseKeyUri(uri);
  if (parsed === undefined) return refuse(place, undefined, "the line is no otpauth key URI");
  if (parsed === "other_type") {
    return refuse(
      place,
      undefined,
      "the URI is not of TOTP, but of a code of another kind, such as HOTP",
    );
  }
  const { issuer, account } = parsed;
  if (account === null) return refuse(place, undefined, "the URI names no account");
  const id = idField === "label" && issuer !== null ? `${issuer}:${account}` : account;
  return { place, id, authenticators: [checkKeyUri(uri)] };
}

async function* readUris(chunks: AsyncIterable<string>, idField: string): AsyncGenerator<Part> {
  let count = 0;
  for await (const { text, number } of readLines(chunks)) {
    if (text.startsWith("#")) continue;
    count += 1;
    yield readUri(text, `line ${number}`, idField);
  }
  if (count === 0) throw new ReadError("has no key URIs.");
}

export const otpauth: Form = {
  name: "otpauth",
  title: "a text file of otpauth key URIs, one a line",
  idFields: ["account", "label"],
  read: (chunks, { idField }) => groupUsers(readUris(chunks, idField)),
};
