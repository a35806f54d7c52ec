/** Faults of KV. They are injected into the platform's class, so that all readers meet them. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { encodeUtf8 } from "../../src/crypto/bytes.ts";
import { hangForever, withQuickDeadlines } from "./deadlines.ts";

/** The result of a read: bytes or text as requested, or null for a missing key. */
type Value = ArrayBuffer | string | null;
type Read = () => Promise<Value>;
/** Replaces a read. */
export type KvFault = (read: Read) => Promise<Value>;

/** Changes the stored bytes and returns them in the requested form. */
function changeValue(change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>): KvFault {
  return async (read) => {
    const value = await read();
    if (value === null) return null;
    const isText = typeof value === "string";
    const bytes = new Uint8Array(isText ? encodeUtf8(value) : value);
    const next = change(bytes).slice();
    return isText ? new TextDecoder().decode(next) : next.buffer;
  };
}

/** Pseudo-random bytes that are the same in each run. */
function createNoise(length: number): Uint8Array<ArrayBuffer> {
  let seed = 2_463_534_242;
  return new Uint8Array(length).map(() => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed & 0xff;
  });
}

const truncateTo = (part: number) =>
  changeValue((bytes) => bytes.slice(0, Math.floor(bytes.length * part)));

const flipBitAt = (part: number) =>
  changeValue((bytes) => {
    const at = Math.floor((bytes.length - 1) * part);
    return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
  });

export const kvFaults: readonly { readonly how: string; readonly fault: KvFault }[] = [
  { how: "gives nothing", fault: () => Promise.resolve(null) },
  { how: "gives an empty value", fault: changeValue(() => new Uint8Array()) },
  { how: "gives random bytes", fault: changeValue(({ length }) => createNoise(length)) },
  { how: "gives a lot of random bytes", fault: changeValue(() => createNoise(1_000_000)) },
  { how: "gives the first half", fault: truncateTo(0.5) },
  { how: "gives all but the last byte", fault: changeValue((bytes) => bytes.slice(0, -1)) },
  { how: "gives one byte too many", fault: changeValue((bytes) => new Uint8Array([...bytes, 0])) },
  { how: "gives zeroes", fault: changeValue(({ length }) => new Uint8Array(length)) },
  { how: "gives a wrong first bit", fault: flipBitAt(0) },
  { how: "gives a wrong bit in the middle", fault: flipBitAt(0.5) },
  { how: "gives a wrong last bit", fault: flipBitAt(1) },
  { how: "rejects", fault: () => Promise.reject(new Error("KV injected")) },
  {
    how: "throws",
    fault: () => {
      throw new Error("KV injected");
    },
  },
  { how: "hangs", fault: hangForever },
];

/** Runs `work` while reads of keys with this prefix are broken. */
export async function withKvFault<T>(
  prefix: string,
  fault: KvFault,
  work: () => Promise<T>,
): Promise<T> {
  const kv = Object.getPrototypeOf(env.IP_REPUTATION);
  const get = kv.get;
  const spy = vi.spyOn(kv, "get").mockImplementation(function (this: unknown, ...args: unknown[]) {
    const read: Read = () => get.apply(this, args);
    return String(args[0]).startsWith(prefix) ? fault(read) : read();
  });
  try {
    return await withQuickDeadlines(work);
  } finally {
    spy.mockRestore();
  }
}
