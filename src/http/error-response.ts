/** Error responses, all in one shape. */
import type { ErrorHandler, Hono, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { MissingKeyError } from "../crypto/keyring.ts";
import { BrokenSealError } from "../crypto/sealed-box.ts";
import { MissingMigrationsError, StoreError } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { causeOf, log } from "../log.ts";
import type { AppContext, AppEnv } from "./request-context.ts";
import { createJsonResponse } from "./response.ts";

function createErrorResponse(c: AppContext, error: AppError): Response {
  const { message, code, fields, status, headers, causeName } = error;
  const isShown = causeName !== undefined && c.get("isOperator") === true;
  const body = {
    error: message,
    code,
    request_id: c.get("requestId"),
    ...(isShown ? { cause: causeName } : {}),
    ...fields,
  };
  return createJsonResponse(c, status, body, headers);
}

function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof MissingMigrationsError) {
    return new AppError("unavailable", { causeName: "migrations_missing" });
  }
  const isStoreFault = [StoreError, MissingKeyError, BrokenSealError].some(
    (fault) => error instanceof fault,
  );
  if (isStoreFault) return new AppError("unavailable");
  // Hono's validator throws one if the body is not JSON.
  if (error instanceof HTTPException && error.status < 500) return new AppError("invalid_json");
  return new AppError("internal_error");
}

export const onError: ErrorHandler<AppEnv> = (error, c) => {
  const appError = toAppError(error);
  if (appError.status >= 500) {
    const tenantId = c.get("presentedToken")?.tenantId;
    log("error", "request_failed", {
      request_id: c.get("requestId"),
      ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
      code: appError.code,
      cause: appError.causeName ?? causeOf(error),
    });
  }
  return createErrorResponse(c, appError);
};

export const onNotFound: NotFoundHandler<AppEnv> = (c) =>
  createErrorResponse(c, new AppError("not_found"));

/** Whether a request to the path can reach the route: `/passkeys/:id` takes `/passkeys/options` too. */
function takesPath(route: string, path: string): boolean {
  const [wanted, given] = [route.split("/"), path.split("/")];
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) => segment.startsWith(":") || segment === given[index])
  );
}

/** Responds with 405 and the allowed methods on every path that has routes. Mount it after the routes. */
export function refuseOtherMethods(app: Hono<AppEnv>): void {
  const methodsByPath = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === "ALL") continue;
    const methods = methodsByPath.get(path) ?? new Set();
    methods.add(method);
    if (method === "GET") methods.add("HEAD");
    methodsByPath.set(path, methods);
  }
  for (const path of methodsByPath.keys()) {
    const methods = [...methodsByPath].flatMap(([route, own]) =>
      takesPath(route, path) ? [...own] : [],
    );
    const allow = [...new Set(methods)].toSorted().join(", ");
    app.all(path, (c) =>
      createErrorResponse(c, new AppError("method_not_allowed", { headers: { Allow: allow } })),
    );
  }
}
