/** Sends a request, and repeats it while that helps. */
import { Deadline } from "./deadline.ts";
import { errorOfAnswer, IdpError } from "./idp-error.ts";
import { findRetryDelay, waitFor } from "./retry.ts";

export interface Sending {
  readonly fetch: typeof globalThis.fetch;
  readonly url: string;
  readonly init: {
    readonly method: string;
    readonly headers: Headers;
    readonly body: string | null;
  };
  /** The body of a success is handed on as it arrives. */
  readonly isStreamed: boolean;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly signal: AbortSignal | undefined;
}

/** Hands the body on. Each chunk has the whole time again, and the time of the reader does not count. */
function watchBody(body: ReadableStream<Uint8Array>, deadline: Deadline): ReadableStream {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      deadline.start();
      try {
        const { done, value } = await reader.read();
        deadline.pause();
        if (!done) return controller.enqueue(value);
        deadline.end();
        controller.close();
      } catch (error) {
        deadline.end();
        controller.error(deadline.explain(error));
      }
    },
    async cancel(reason) {
      deadline.end();
      await reader.cancel(reason);
    },
  });
}

/** One try. @throws IdpError without a success; the reason of the caller's signal */
async function sendOnce(sending: Sending): Promise<Response> {
  const { fetch, url, init, isStreamed, timeoutMs, signal } = sending;
  const deadline = new Deadline(timeoutMs, signal);
  let isWatched = false;
  try {
    // A redirection would turn a POST into a GET, and the service has none.
    const answer = await fetch(url, { ...init, redirect: "manual", signal: deadline.signal });
    if (answer.ok && isStreamed && answer.body !== null) {
      isWatched = true;
      return new Response(watchBody(answer.body, deadline));
    }
    const text = await answer.text();
    if (!answer.ok) throw errorOfAnswer(answer, text);
    return new Response(text === "" ? null : text, { status: answer.status });
  } catch (error) {
    throw error instanceof IdpError ? error : deadline.explain(error);
  } finally {
    if (!isWatched) deadline.end();
  }
}

/** @throws IdpError of the last try; the reason of the caller's signal */
export async function send(sending: Sending): Promise<Response> {
  for (let retries = 0; ; retries++) {
    try {
      return await sendOnce(sending);
    } catch (error) {
      const mayRetry = retries < sending.maxRetries;
      if (!(error instanceof IdpError) || !mayRetry) throw error;
      const delayMs = findRetryDelay(error, retries);
      if (delayMs === undefined) throw error;
      await waitFor(delayMs, sending.signal);
    }
  }
}
