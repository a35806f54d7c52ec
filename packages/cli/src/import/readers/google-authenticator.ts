/**
 * Google Authenticator: what the QR codes of "Transfer accounts" say, one `otpauth-migration://offline?data=…` a line.
 *
 * The data is a protocol buffer in Base64. Google publishes no .proto; the fields are those on which all readers agree,
 * such as the npm package otpauth-migration. Accounts on several QR codes are parts of one batch, and none may be
 * missing. The app knows 30 seconds alone.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { base64 } from "@scure/base";
import type { Form } from "../entry.ts";
import { groupAllUsers, type Part } from "../group.ts";
import { readLines } from "../lines.ts";
import { ReadError } from "../read-error.ts";
import { checkSecret } from "../user.ts";

const algorithms = ["SHA1", "SHA1", "SHA256", "SHA512", "MD5"];
const digitCounts = [6, 6, 8];
const types = ["unspecified", "hotp", "totp"];

interface Account {
  secret: Uint8Array<ArrayBufferLike>;
  name: string;
  issuer: string;
  algorithm: number;
  digits: number;
  type: number;
}

interface Payload {
  readonly accounts: Account[];
  size: number;
  index: number;
  id: number;
}

function readAccount(reader: BinaryReader, length: number): Account {
  const end = reader.pos + length;
  const account: Account = {
    secret: new Uint8Array(0),
    name: "",
    issuer: "",
    algorithm: 0,
    digits: 0,
    type: 0,
  };
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) account.secret = reader.bytes();
    else if (field === 2 && wireType === WireType.LengthDelimited) account.name = reader.string();
    else if (field === 3 && wireType === WireType.LengthDelimited) account.issuer = reader.string();
    else if (field === 4 && wireType === WireType.Varint) account.algorithm = reader.int32();
    else if (field === 5 && wireType === WireType.Varint) account.digits = reader.int32();
    else if (field === 6 && wireType === WireType.Varint) account.type = reader.int32();
    else reader.skip(wireType, field);
  }
  return account;
}

function readPayload(bytes: Uint8Array): Payload {
  const reader = new BinaryReader(bytes);
  const payload: Payload = { accounts: [], size: 1, index: 0, id: 0 };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) {
      payload.accounts.push(readAccount(reader, reader.uint32()));
    } else if (field === 3 && wireType === WireType.Varint) payload.size = reader.int32();
    else if (field === 4 && wireType === WireType.Varint) payload.index = reader.int32();
    else if (field === 5 && wireType === WireType.Varint) payload.id = reader.int32();
    else reader.skip(wireType, field);
  }
  return payload;
}

function parseUri(text: string, line: number): Payload {
  const uri = URL.parse(text);
  const data = uri?.searchParams.get("data");
  if (uri?.protocol !== "otpauth-migration:" || !data) {
    throw new ReadError(`has no otpauth-migration URI in line ${line}.`);
  }
  try {
    // A `+` that was not encoded has become a space.
    return readPayload(base64.decode(data.replaceAll(" ", "+")));
  } catch {
    throw new ReadError(`has an otpauth-migration URI in line ${line} that cannot be decoded.`);
  }
}

function readPart(account: Account, place: string): Part {
  const { name, issuer, secret, type } = account;
  const id = issuer !== "" && name.startsWith(`${issuer}:`) ? name.slice(issuer.length + 1) : name;
  const checked =
    types[type] === "totp"
      ? checkSecret({
          ...{ secret: base64.encode(secret), encoding: "base64", name: issuer },
          algorithm: algorithms[account.algorithm] ?? "unknown",
          digits: digitCounts[account.digits] ?? Number.NaN,
        })
      : { problem: "an account counts (HOTP), and is not TOTP" };
  return { place, id: id.trim() || undefined, authenticators: [checked] };
}

/** @throws ReadError if a part of a batch is missing */
function checkBatches(payloads: readonly Payload[]): void {
  for (const { id, size } of payloads) {
    const parts = payloads.filter((one) => one.id === id);
    const missing = Array.from({ length: Math.min(size, 100) }, (_, index) => index).find(
      (index) => !parts.some((part) => part.index === index),
    );
    if (missing === undefined) continue;
    throw new ReadError(
      `lacks QR code ${missing + 1} of ${size}; scan them all, and put each on a line of its own.`,
    );
  }
}

async function* readAccounts(chunks: AsyncIterable<string>): AsyncGenerator<Part> {
  const payloads: Payload[] = [];
  for await (const { text, number } of readLines(chunks)) {
    if (!text.startsWith("#")) payloads.push(parseUri(text, number));
  }
  if (payloads.length === 0) throw new ReadError("has no otpauth-migration URIs.");
  checkBatches(payloads);
  const unique = payloads.filter(
    ({ id, index }, n) => payloads.findIndex((one) => one.id === id && one.index === index) === n,
  );
  unique.sort((one, other) => one.id - other.id || one.index - other.index);
  let count = 0;
  for (const account of unique.flatMap(({ accounts }) => accounts)) {
    count += 1;
    yield readPart(account, `account ${count}`);
  }
}

export const googleAuthenticator: Form = {
  name: "google-authenticator",
  title: "the URIs in Google Authenticator's QR codes for a transfer, one a line",
  idFields: ["name"],
  read: (chunks) => groupAllUsers(readAccounts(chunks)),
};
