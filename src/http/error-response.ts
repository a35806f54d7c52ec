/** Every answer that is not a success, in one shape. */
import type { ErrorHandler, Hono, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { MissingKeyError } from "../crypto/keyring.ts";
import { BrokenSealError } from "../crypto/sealed-box.ts";
import { StoreError } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { causeOf, log } from "../log.ts";
import { createJsonResponse } from "./response.ts";
import type { AppContext, AppEnv } from "./request-context.ts";

function answer(c: AppContext, error: AppError): Response {
  const { message, code, fields, status, headers } = error;
  const body = { error: message, code, request_id: c.get("requestId"), ...fields };
  return createJsonResponse(c, status, body, headers);
}

function appErrorOf(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const isStoreFault = [StoreError, MissingKeyError, BrokenSealError].some(
    (fault) => error instanceof fault,
  );
  if (isStoreFault) return new AppError("unavailable");
  // The framework throws these for requests that it cannot read.
  if (error instanceof HTTPException && error.status < 500) return new AppError("invalid_request");
  return new AppError("internal_error");
}

export const onError: ErrorHandler<AppEnv> = (error, c) => {
  const known = appErrorOf(error);
  if (known.status >= 500) {
    log("error", "request_failed", {
      request_id: c.get("requestId"),
      code: known.code,
      cause: causeOf(error),
    });
  }
  return answer(c, known);
};

export const notFound: NotFoundHandler<AppEnv> = (c) => answer(c, new AppError("not_found"));

/** Answers 405 for every path that has routes, with what it does allow. Mount after the routes. */
export function refuseOtherMethods(app: Hono<AppEnv>): void {
  const methodsOf = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === "ALL") continue;
    const methods = methodsOf.get(path) ?? new Set();
    methods.add(method);
    if (method === "GET") methods.add("HEAD");
    methodsOf.set(path, methods);
  }
  for (const [path, methods] of methodsOf) {
    const allow = [...methods].toSorted().join(", ");
    app.all(path, (c) =>
      answer(c, new AppError("method_not_allowed", { headers: { Allow: allow } })),
    );
  }
}
