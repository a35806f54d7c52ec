/** Request bodies: JSON, UTF-8, 16 KiB at most. What is wrong is told before anything is read of it. */
import { bodyLimit } from "hono/body-limit";
import { AppError, invalidRequest } from "../errors.ts";
import type { AppContext } from "./exchange.ts";

const mostBytes = 16 * 1024;
const jsonType = /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i;

const withinLimit = bodyLimit({
  maxSize: mostBytes,
  onError: () => {
    throw new AppError("body_too_large");
  },
});

/** Refuses what is too large. Returns the bytes, which the request keeps for later readers too. */
async function bytesOf(c: AppContext): Promise<ArrayBuffer> {
  const read: ArrayBuffer[] = [];
  await withinLimit(c, async () => {
    read.push(await c.req.arrayBuffer());
  });
  return read[0] ?? new ArrayBuffer(0);
}

/** For routes with a body: it must be JSON. @throws AppError */
export async function requireJson(c: AppContext): Promise<void> {
  if (!jsonType.test(c.req.header("Content-Type") ?? "")) {
    throw new AppError("unsupported_media_type");
  }
  parsed(await bytesOf(c));
}

/**
 * For routes without one: nothing, or the empty object that some clients always send.
 * @throws AppError
 */
export async function requireNoBody(c: AppContext): Promise<void> {
  const bytes = await bytesOf(c);
  if (bytes.byteLength === 0) return;
  const value = parsed(bytes);
  if (typeof value === "object" && value !== null && Object.keys(value).length === 0) return;
  throw invalidRequest([{ path: "", message: "must be empty" }]);
}

function parsed(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    throw new AppError("invalid_json");
  }
}
