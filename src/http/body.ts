/** Request bodies: JSON in UTF-8, of a limited size. */
import { bodyLimit } from "hono/body-limit";
import { awaitWithin, DeadlineError } from "../deadline.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import type { AppContext, Step, ValidBody } from "./request-context.ts";

export const defaultMaxBodyBytes = 16 * 1024;
const bodyTimeoutMs = 5_000;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
const jsonType = /^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i;

/** The value for requests without a body, in place of what the validator would return. */
const noBody: ValidBody<object> = { body: {}, sent: {} };

function createSizeLimit(maxBytes: number) {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      const message = `The body exceeds ${maxBytes / 1024} KiB; send a smaller one.`;
      throw new AppError("body_too_large", { message });
    },
  });
}

/**
 * Reads the whole body before the request has a time: a client that holds its body back must not
 * choose the time at which its request runs. An error waits until the caller is authenticated.
 */
export function receiveBody(maxBytes = defaultMaxBodyBytes): Step {
  const limitSize = createSizeLimit(maxBytes);
  return async (c, next) => {
    const error = c.req.raw.body === null ? undefined : await readBody(c, limitSize);
    if (error !== undefined) c.set("bodyError", error);
    c.set("arrivedAt", Date.now());
    await next();
  };
}

/** Hono caches the bytes that are read here, and later steps read them from its cache. */
async function readBody(
  c: AppContext,
  limitSize: ReturnType<typeof createSizeLimit>,
): Promise<AppError | undefined> {
  const reading = limitSize(c, async () => {
    await c.req.arrayBuffer();
  });
  try {
    await awaitWithin(bodyTimeoutMs, reading);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    const message =
      error instanceof DeadlineError
        ? `did not arrive within ${bodyTimeoutMs / 1000} s`
        : "did not arrive completely";
    return createInvalidRequest([{ path: "", message }]);
  }
}

/** For routes with a body. The validator parses the JSON. @throws AppError */
export const requireUtf8Json: Step = async (c, next) => {
  if (!jsonType.test(c.req.header("Content-Type") ?? "")) {
    throw new AppError("unsupported_media_type");
  }
  // The validator takes the text from here. Hono itself would replace bytes that are not UTF-8.
  Object.assign(c.req.bodyCache, {
    text: Promise.resolve(decodeUtf8(await receivedBytes(c))),
  });
  await next();
};

/**
 * For routes without a body. Some clients always send an empty object, which is accepted.
 * @throws AppError
 */
export const requireNoBody: Step = async (c, next) => {
  if (c.req.raw.body !== null) {
    const bytes = await receivedBytes(c);
    if (bytes.byteLength > 0) requireEmptyObject(decodeUtf8(bytes));
  }
  c.req.addValidatedData("json", noBody);
  await next();
};

/** @throws AppError if the body did not arrive, or is too large */
async function receivedBytes(c: AppContext): Promise<ArrayBuffer> {
  const error = c.get("bodyError");
  if (error !== undefined) throw error;
  return await c.req.arrayBuffer();
}

/** @throws AppError `invalid_json` */
function decodeUtf8(bytes: ArrayBuffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new AppError("invalid_json");
  }
}

/** @throws AppError */
function requireEmptyObject(text: string): void {
  const value = parseJson(text);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isObject && Object.keys(value).length === 0) return;
  throw createInvalidRequest([{ path: "", message: "must be empty" }]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError("invalid_json");
  }
}
