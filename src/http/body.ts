/** Request bodies: JSON, UTF-8, 16 KiB at most. What is wrong is told before anything is read of it. */
import { bodyLimit } from "hono/body-limit";
import { DeadlineError, within } from "../deadline.ts";
import { AppError, invalidRequest } from "../errors.ts";
import type { AppContext } from "./request-context.ts";

const maxBytes = 16 * 1024;
const arrivesWithinMs = 5_000;
const jsonType = /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i;

const withinLimit = bodyLimit({
  maxSize: maxBytes,
  onError: () => {
    throw new AppError("body_too_large");
  },
});

/** A body as far as it came: its bytes, or why there are none. */
export type ReadBody = ArrayBuffer | AppError;

/**
 * Reads the whole body, and waits for a slow one for a few seconds only. Done before anything is
 * decided about the request: a client that holds its body back must not choose the time at which the
 * request runs.
 */
export async function readBody(c: AppContext): Promise<ReadBody> {
  if (c.req.raw.body === null) return new ArrayBuffer(0);
  try {
    return await within(arrivesWithinMs, bytesOf(c));
  } catch (error) {
    if (error instanceof AppError) return error;
    const message =
      error instanceof DeadlineError
        ? `did not arrive within ${arrivesWithinMs / 1000} s`
        : "did not arrive whole";
    return invalidRequest([{ path: "", message }]);
  }
}

/** Refuses what is too large. The request keeps the bytes for later readers. */
async function bytesOf(c: AppContext): Promise<ArrayBuffer> {
  const read: ArrayBuffer[] = [];
  await withinLimit(c, async () => {
    read.push(await c.req.arrayBuffer());
  });
  return read[0] ?? new ArrayBuffer(0);
}

/** For routes with a body: it must be JSON. @throws AppError */
export function requireJson(c: AppContext, body: ReadBody): void {
  if (!jsonType.test(c.req.header("Content-Type") ?? "")) {
    throw new AppError("unsupported_media_type");
  }
  if (body instanceof AppError) throw body;
  const text = decodeUtf8(body);
  parseJson(text);
  // For later readers, to whom the framework would give it through a new answer. It keeps promises there.
  Object.assign(c.req.bodyCache, { text: Promise.resolve(text) });
}

/**
 * For routes without one: nothing, or the empty object that some clients always send.
 * @throws AppError
 */
export function requireNoBody(body: ReadBody): void {
  if (body instanceof AppError) throw body;
  if (body.byteLength === 0) return;
  const value = parseJson(decodeUtf8(body));
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isObject && Object.keys(value).length === 0) return;
  throw invalidRequest([{ path: "", message: "must be empty" }]);
}

/** @throws AppError `invalid_json`, where it is not UTF-8 */
function decodeUtf8(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new AppError("invalid_json");
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError("invalid_json");
  }
}
