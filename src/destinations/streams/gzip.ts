/** Compresses the body of a batch. */
import { encodeUtf8 } from "../../crypto/bytes.ts";

export async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([new Uint8Array(encodeUtf8(text))])
    .stream()
    .pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
