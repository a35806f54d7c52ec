/** The bytes of an export, from whatever can deliver them in pieces. */

/** A stream of the web, as `File` and `fetch` give it, or an iterable, as `createReadStream` of Node is one. */
export type ByteSource = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** Not every browser can iterate over a stream. */
async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      yield piece.value;
    }
  } finally {
    await reader.cancel();
  }
}

export function iterateBytes(source: ByteSource): AsyncIterable<Uint8Array> {
  return "getReader" in source ? readStream(source) : source;
}
