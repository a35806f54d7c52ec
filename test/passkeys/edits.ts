/** Edits of bytes and base64url, which make hostile answers of honest ones. */
import { base64urlnopad } from "@scure/base";
import fc from "fast-check";

export type EditBytes = (bytes: Uint8Array) => Uint8Array;
export type EditText = (text: string) => string;

/** Keeps everything before and after the place, and what `change` makes of the byte there. */
function editAt(place: number, change: (byte: number) => readonly number[]): EditBytes {
  return (bytes) => {
    const index = place % Math.max(bytes.length, 1);
    const [byte = 0] = bytes.subarray(index);
    return new Uint8Array([
      ...bytes.subarray(0, index),
      ...change(byte),
      ...bytes.subarray(index + 1),
    ]);
  };
}

const place = fc.nat(0xffff);
const byte = fc.nat(255);

/** Another value for one byte. */
export const changedByte: fc.Arbitrary<EditBytes> = fc
  .tuple(place, fc.integer({ min: 1, max: 255 }))
  .map(([at, mask]) => editAt(at, (one) => [one ^ mask]));

/** One edit anywhere. */
export const editedBytes: fc.Arbitrary<EditBytes> = fc.oneof(
  changedByte,
  fc.tuple(place, fc.nat(7)).map(([at, bit]) => editAt(at, (one) => [one ^ (1 << bit)])),
  fc.tuple(place, byte).map(([at, added]) => editAt(at, (one) => [added, one])),
  place.map((at) => editAt(at, () => [])),
  place.map(
    (at): EditBytes =>
      (bytes) =>
        bytes.slice(0, at % bytes.length),
  ),
  byte.map(
    (added): EditBytes =>
      (bytes) =>
        new Uint8Array([...bytes, added]),
  ),
);

/** Spellings that decode to the same bytes or to others, and texts that are not base64url. */
export const editedText: fc.Arbitrary<EditText> = fc.oneof(
  fc.constantFrom<EditText>(
    (text) => `${text}=`,
    (text) => `${text}==`,
    (text) => ` ${text}`,
    (text) => `${text}\n`,
    (text) => text.replaceAll("-", "+").replaceAll("_", "/"),
    // The last character has bits that stand for nothing, unless the length is a multiple of 3 bytes.
    (text) => {
      const last = text.at(-1) ?? "";
      return text.length % 4 === 0 ? text : `${text.slice(0, -1)}${last === "B" ? "C" : "B"}`;
    },
    (text) => text.slice(0, -1),
    () => "",
  ),
  fc.tuple(place, fc.constantFrom("A", "_", "+", "=", " ", "é", "\0")).map(
    ([at, added]): EditText =>
      (text) =>
        `${text.slice(0, at % (text.length + 1))}${added}${text.slice(at % (text.length + 1))}`,
  ),
);

/** Applies an edit of bytes to base64url. */
export function editEncoded(text: string, edit: EditBytes): string {
  return base64urlnopad.encode(edit(base64urlnopad.decode(text)));
}
