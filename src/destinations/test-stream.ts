/** Tests a stream: sends the newest event of the log once more. So a receiver gets no invented event. */
import type { Config } from "../env.ts";
import type { Attempt } from "./request/attempt.ts";
import { LogReader } from "./read-log.ts";
import { createWriter, takeBatch } from "./streams/batch.ts";
import { sendBatch } from "./streams/send-batch.ts";
import type { OpenStream } from "./streams/stream.ts";

/** @throws StoreError */
export async function testStream(
  { env, config }: { readonly env: Env; readonly config: Config },
  stream: OpenStream,
  isTest: boolean,
): Promise<Attempt> {
  const log = new LogReader(env, config, stream.tenantId);
  const end = await log.findEnd();
  const events = await log.read({ from: Math.max(0, end - 1), below: end });
  const writer = createWriter(stream);
  const { attempt } = await sendBatch(writer, takeBatch(writer, events), isTest);
  return attempt;
}
