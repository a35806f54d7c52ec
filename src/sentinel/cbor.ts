/** CBOR (RFC 8949) of the few kinds of values that the compact form of stored-assessment.ts has (pure). */
import { encodeUtf8 } from "../crypto/bytes.ts";

export type CborValue = null | boolean | number | string | Uint8Array | readonly CborValue[];

/** Major types (§3.1), in the upper three bits of the first byte. */
const major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, other: 7 } as const;
/** What the lower five bits say: a value below 24 itself, or the number of bytes that hold it. */
const sizes: Readonly<Record<number, number>> = { 24: 1, 25: 2, 26: 4, 27: 8 };
const simple = { false: 20, true: 21, null: 22, float64: 27 } as const;
/** The values here have fewer levels; the bound keeps a damaged text from exhausting the stack. */
const maxDepth = 16;

function encodeHead(type: number, value: number): number[] {
  if (value < 24) return [(type << 5) | value];
  const [detail, bytes] =
    value < 0x100
      ? [24, 1]
      : value < 0x1_0000
        ? [25, 2]
        : value < 0x1_0000_0000
          ? [26, 4]
          : [27, 8];
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value));
  return [(type << 5) | detail, ...new Uint8Array(view.buffer).subarray(8 - bytes)];
}

function encodeNumber(value: number): number[] {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    return value < 0 ? encodeHead(major.negative, -1 - value) : encodeHead(major.unsigned, value);
  }
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [(major.other << 5) | simple.float64, ...new Uint8Array(view.buffer)];
}

function encodeItem(value: CborValue): number[] {
  if (value === null) return encodeHead(major.other, simple.null);
  if (typeof value === "boolean") {
    return encodeHead(major.other, value ? simple.true : simple.false);
  }
  if (typeof value === "number") return encodeNumber(value);
  if (typeof value === "string") {
    const bytes = encodeUtf8(value);
    return [...encodeHead(major.text, bytes.length), ...bytes];
  }
  if (value instanceof Uint8Array) return [...encodeHead(major.bytes, value.length), ...value];
  return [...encodeHead(major.array, value.length), ...value.flatMap(encodeItem)];
}

export function encodeCbor(value: CborValue): Uint8Array {
  return new Uint8Array(encodeItem(value));
}

class Reader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    const taken = this.#bytes.subarray(this.#position, this.#position + length);
    if (taken.length < length) throw new RangeError("The CBOR ends too early");
    this.#position += length;
    return taken;
  }
}

function readArgument(reader: Reader, detail: number): number {
  if (detail < 24) return detail;
  const size = sizes[detail];
  if (size === undefined) throw new RangeError("The CBOR has an unknown length");
  return reader.take(size).reduce((value, byte) => value * 0x100 + byte, 0);
}

function readFloat(reader: Reader): number {
  const bytes = reader.take(8);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getFloat64(0);
}

function readItem(reader: Reader, depth: number): CborValue {
  if (depth > maxDepth) throw new RangeError("The CBOR is nested too deeply");
  const [first = 0] = reader.take(1);
  const [type, detail] = [first >> 5, first & 0x1f];
  if (type === major.other) {
    if (detail === simple.float64) return readFloat(reader);
    if (detail === simple.null) return null;
    if (detail === simple.true || detail === simple.false) return detail === simple.true;
    throw new RangeError("The CBOR has an unknown value");
  }
  const argument = readArgument(reader, detail);
  switch (type) {
    case major.unsigned:
      return argument;
    case major.negative:
      return -1 - argument;
    case major.bytes:
      return reader.take(argument);
    case major.text:
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        reader.take(argument),
      );
    case major.array: {
      const items: CborValue[] = [];
      while (items.length < argument) items.push(readItem(reader, depth + 1));
      return items;
    }
    default:
      throw new RangeError("The CBOR has an unknown type");
  }
}

/** @throws RangeError or TypeError if the bytes are not exactly one such value */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const reader = new Reader(bytes);
  const value = readItem(reader, 0);
  if (!reader.isAtEnd) throw new RangeError("The CBOR has more than one value");
  return value;
}
