/** What has arrived at a receiver of a stream. */
import { type Answer, send, type Tenant } from "./client.ts";
import type { Received, Receiver } from "./receiver.ts";

export async function unzip(body: Uint8Array): Promise<string> {
  const stream = new Blob([new Uint8Array(body)]).stream();
  return await new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text();
}

/** The events of a request of NDJSON. */
export async function eventsOf({ body }: Received): Promise<Answer["body"][]> {
  const lines = (await unzip(body)).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** The leaf indexes that have arrived, in order, by request. */
export async function readLeaves({ received }: Receiver): Promise<number[][]> {
  const requests = await Promise.all(received.map(eventsOf));
  return requests.map((events) => events.map(({ leaf_index }) => leaf_index));
}

/** Creates a stream of NDJSON to the receiver. @param fields of the stream, besides */
export async function createStream(
  { token }: Pick<Tenant, "token">,
  { url }: { readonly url: string },
  fields: object = {},
): Promise<Answer["body"]> {
  const stream = { type: "http", url, ...fields };
  const { status, body } = await send("POST", "/v1/audit/streams", { token, body: { stream } });
  if (status !== 201) throw new Error(`No stream: ${status} ${JSON.stringify(body)}`);
  return body.stream;
}
