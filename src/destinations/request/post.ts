/** Sends one request to a destination. Nothing else in the service calls addresses that a tenant has chosen. */
import type { Attempt, AttemptError } from "./attempt.ts";
import { findTargetProblem } from "./target-url.ts";

const timeoutMs = 15_000;
const maxAnswerBytes = 1024;
const userAgent = "Edge-IDP/1";

export interface OutgoingRequest {
  readonly method?: "POST" | "PUT";
  readonly url: string;
  /** In lower case, with the content type. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

function errorOf(status: number): AttemptError | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 ? "redirect" : "status";
}

/** Reads the beginning of the body and keeps nothing of it. A body that breaks off or hangs later changes nothing. */
async function readStart(response: Response): Promise<void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let length = 0;
  while (length < maxAnswerBytes) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
  }
  void reader.cancel().catch(() => {});
}

/**
 * Sends a request. Never throws. The request has 15 s, with the part of the answer that is read; redirects are not
 * followed.
 * @param isTest as in `findTargetProblem`
 */
export async function post(request: OutgoingRequest, isTest: boolean): Promise<Attempt> {
  const at = Date.now();
  const end = (status: number | null, error: AttemptError | null): Attempt => {
    return { at, milliseconds: Math.max(0, Date.now() - at), status, error };
  };
  if (findTargetProblem(request.url, isTest) !== undefined) return end(null, "target");
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  const { method = "POST", url, headers, body } = request;
  let status: number | null = null;
  try {
    const response = await fetch(url, {
      method,
      body,
      headers: { "user-agent": userAgent, ...headers },
      redirect: "manual",
      signal: abort.signal,
    });
    status = response.status;
    await readStart(response);
    return end(status, errorOf(status));
  } catch {
    return end(status, abort.signal.aborted ? "timeout" : "connection");
  } finally {
    clearTimeout(timer);
  }
}

/** An attempt that could not be made. */
export function failBeforeSending(error: "configuration" | "target"): Attempt {
  return { at: Date.now(), milliseconds: 0, status: null, error };
}
