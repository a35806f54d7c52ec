/**
 * CBOR (RFC 8949) in CTAP2's canonical form (pure): each value has one encoding. Lengths are definite, heads are as
 * short as possible, keys of a map are unique and in order, and nothing has a tag. Numbers are integers within 2^53, or
 * floats of 64 bits.
 */
import { encodeUtf8 } from "./bytes.ts";

/** What is encoded: everything but maps. */
export type CborValue = null | boolean | number | string | Uint8Array | readonly CborValue[];
export type CborMap = ReadonlyMap<string | number, DecodedCbor>;
export type DecodedCbor =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly DecodedCbor[]
  | CborMap;

/** Major types (§3.1), in the upper three bits of the first byte. */
const major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, other: 7 } as const;
/** What the lower five bits say: a value below 24 itself, or how many bytes hold it. Shorter heads end at `min`. */
const sizes: Readonly<Record<number, { bytes: number; min: number }>> = {
  24: { bytes: 1, min: 24 },
  25: { bytes: 2, min: 0x100 },
  26: { bytes: 4, min: 0x1_0000 },
  27: { bytes: 8, min: 0x1_0000_0000 },
};
const keyTypes: readonly number[] = [major.unsigned, major.negative, major.text];
const simple = { false: 20, true: 21, null: 22, float64: 27 } as const;
/** The values here have fewer levels; the bound keeps a hostile text from exhausting the stack. */
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

  get position(): number {
    return this.#position;
  }

  /** Refuses a length that the rest cannot have, before anything is done for it. */
  expectBytes(length: number): void {
    if (length > this.#bytes.length - this.#position) {
      throw new RangeError("The CBOR ends too early");
    }
  }

  peek(): Uint8Array {
    return this.#bytes.subarray(this.#position, this.#position + 1);
  }

  take(length: number): Uint8Array {
    this.expectBytes(length);
    const taken = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return taken;
  }

  /** The bytes from a position to the present one. */
  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#position);
  }
}

function readArgument(reader: Reader, detail: number): number {
  if (detail < 24) return detail;
  const size = sizes[detail];
  if (size === undefined) throw new RangeError("The CBOR has an unknown or indefinite length");
  const value = reader.take(size.bytes).reduce((sum, byte) => sum * 0x100 + byte, 0);
  if (value < size.min) throw new RangeError("The CBOR has a head that is too long");
  if (value > Number.MAX_SAFE_INTEGER) throw new RangeError("The CBOR has a number above 2^53");
  return value;
}

function readOther(reader: Reader, detail: number): null | boolean | number {
  switch (detail) {
    case simple.false:
      return false;
    case simple.true:
      return true;
    case simple.null:
      return null;
    case simple.float64: {
      const bytes = reader.take(8);
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getFloat64(0);
    }
    default:
      throw new RangeError("The CBOR has an unknown value");
  }
}

/** CTAP2 orders keys by major type, then length, then bytes, which is the order of their encodings. */
function isBefore(left: Uint8Array, right: Uint8Array): boolean {
  const index = left.findIndex((byte, at) => byte !== right[at]);
  return (left[index] ?? 0) < (right[index] ?? 0);
}

/** Keys are text or integers, so that they nest nothing. */
function readKey(reader: Reader): string | number {
  const [first = 0] = reader.peek();
  const isLeaf = keyTypes.includes(first >> 5);
  const key = isLeaf ? readItem(reader, 0) : null;
  if (typeof key === "string" || typeof key === "number") return key;
  throw new RangeError("The CBOR has a key that is neither text nor integer");
}

function readMap(reader: Reader, size: number, depth: number): CborMap {
  reader.expectBytes(2 * size);
  const map = new Map<string | number, DecodedCbor>();
  let previous: Uint8Array | undefined;
  while (map.size < size) {
    const start = reader.position;
    const key = readKey(reader);
    const encodedKey = reader.since(start);
    if (previous !== undefined && !isBefore(previous, encodedKey)) {
      throw new RangeError("The CBOR has a doubled key, or keys that are not in order");
    }
    map.set(key, readItem(reader, depth));
    previous = encodedKey;
  }
  return map;
}

function readItem(reader: Reader, depth: number): DecodedCbor {
  if (depth > maxDepth) throw new RangeError("The CBOR is nested too deeply");
  const [first = 0] = reader.take(1);
  const [type, detail] = [first >> 5, first & 0x1f];
  if (type === major.other) return readOther(reader, detail);
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
      reader.expectBytes(argument);
      return Array.from({ length: argument }, () => readItem(reader, depth + 1));
    }
    case major.map:
      return readMap(reader, argument, depth + 1);
    default:
      throw new RangeError("The CBOR has a tag");
  }
}

/**
 * Decodes the value at the beginning, and says how many bytes it takes.
 * @throws RangeError or TypeError if the bytes do not begin with a value in canonical form
 */
export function decodeFirstCbor(bytes: Uint8Array): { value: DecodedCbor; length: number } {
  const reader = new Reader(bytes);
  const value = readItem(reader, 0);
  return { value, length: reader.position };
}

/** @throws RangeError or TypeError if the bytes are not exactly one value in canonical form */
export function decodeCbor(bytes: Uint8Array): DecodedCbor {
  const { value, length } = decodeFirstCbor(bytes);
  if (length !== bytes.length) throw new RangeError("The CBOR has more than one value");
  return value;
}
