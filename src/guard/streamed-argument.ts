/**
 * An argument that follows an RPC call as a stream: the edge gathers it while the call is already under
 * way, so gathering and calling take one round trip together.
 */

/** Streams the value as JSON; the stream is empty if the value is rejected. */
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

/** Reads a streamed argument. A caller that no longer needs it may ignore it, even if it is rejected. */
export function readStreamedArgument<T>(stream: ReadableStream<Uint8Array>): Promise<T> {
  const value = new Response(stream).json<T>();
  value.catch(() => {});
  return value;
}
