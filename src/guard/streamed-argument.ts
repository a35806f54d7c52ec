/**
 * What follows a call to an object: looked up by the caller while the call is under way, so that the two
 * together are one round trip.
 */

/** JSON that is still being gathered, as a stream; an empty one where that fails. */
export function streamArgument(value: Promise<unknown>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    async start(controller) {
      const text = await value.then(JSON.stringify, () => "");
      if (text !== "") controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
}

/** What followed. Whoever needs it no longer may leave it: it then fails unheard. */
export function readStreamedArgument<T>(stream: ReadableStream<Uint8Array>): Promise<T> {
  const value = new Response(stream).json<T>();
  value.catch(() => {});
  return value;
}
