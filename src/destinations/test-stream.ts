/** Tests a stream: sends the newest event of the log once more. So a receiver gets no invented event. */
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { LogReader } from "./read-log.ts";
import type { Attempt } from "./request/attempt.ts";
import { createWriter, takeBatch } from "./streams/batch.ts";
import { sendBatch } from "./streams/send-batch.ts";
import type { OpenStream } from "./streams/stream.ts";

/** @throws AppError `unavailable` if the log has no event yet; StoreError */
export async function testStream(
  { env, config }: { readonly env: Env; readonly config: Config },
  stream: OpenStream,
  isTest: boolean,
): Promise<Attempt> {
  const log = new LogReader(env, config, stream.tenantId);
  const end = await log.findEnd();
  const events = await log.read({ from: Math.max(0, end - 1), below: end });
  // The event of the tenant's creation is filed a moment after it.
  if (events.length === 0) throw new AppError("unavailable");
  const writer = createWriter(stream);
  const { attempt } = await sendBatch(writer, takeBatch(writer, events), isTest);
  return attempt;
}
