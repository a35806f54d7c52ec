/**
 * A route is defined once: the schemas that validate its requests and type its responses are also the
 * source of the OpenAPI document.
 */
import type { Hono } from "hono";
import { type ZodRawShape, type ZodType, z } from "zod";
import { AppError, type ErrorCode } from "../errors.ts";
import { type Access, authenticate } from "./access.ts";
import { receiveBody, requireNoBody, requireUtf8Json } from "./body.ts";
import { awaitKeyCheck } from "./configuration.ts";
import { countTrailRead } from "./count-trail-read.ts";
import { readRequestKey } from "./idempotency-key.ts";
import { reportIfRefused } from "./report-refusal.ts";
import type { AppEnv, RequestContext, RouteStep, ValidContext } from "./request-context.ts";
import { createJsonResponse, setCommonHeaders } from "./response.ts";
import { validateBody, validateQuery } from "./validate.ts";
import { filesInControlPlane, wakeAfterChange } from "./wake-destinations.ts";

export const methods = ["get", "post", "patch", "delete"] as const;

export interface ResponseDefinition {
  readonly description: string;
  /** Absent for an empty body. */
  readonly body?: ZodType;
  /** Type of the body, if it is not JSON. */
  readonly contentType?: string;
}

export type ResponseDefinitions = Readonly<Record<number, ResponseDefinition>>;

type BodyOf<T extends ResponseDefinition> = T extends {
  readonly body: infer Schema extends ZodType;
}
  ? z.input<Schema>
  : null;

/** One of the defined responses: its status, and a body that fits its schema. */
export type HandlerResponse<T extends ResponseDefinitions> = {
  [Status in keyof T & number]: { readonly status: Status; readonly body: BodyOf<T[Status]> };
}[keyof T & number];

export function respond<const Status extends number, Body>(status: Status, body: Body) {
  return { status, body };
}

export interface RouteDefinition<
  Caller = unknown,
  Body extends ZodType = ZodType,
  Query extends ZodType = ZodType,
  T extends ResponseDefinitions = ResponseDefinitions,
  Prepared = unknown,
> {
  readonly method: (typeof methods)[number];
  /** With parameters as `:name`. */
  readonly path: string;
  /** The `operationId` in the OpenAPI document. */
  readonly name: string;
  /** What the operation does, as a short verb phrase. */
  readonly summary: string;
  /** What a client must know to use the operation, in one to three sentences. */
  readonly description: string;
  readonly tag: string;
  readonly access: Access<Caller>;
  readonly body: Body;
  /** The size of the largest body, unless it is the default of body.ts. */
  readonly maxBodyBytes?: number;
  readonly query: Query;
  /** A POST that stores nothing, so that a repeated one runs again. */
  readonly changesNothing?: true;
  /**
   * How a route that answers with events of the trail appears in it: each request files an event, or the requests of a
   * token are counted.
   */
  readonly trailRead?: "filed" | "counted";
  /**
   * What the digest of a request with an `Idempotency-Key` covers in place of the body as sent, where
   * several spellings of a body are one request.
   */
  readonly comparedBody?: (body: z.output<Body>) => object;
  /**
   * Starts work that runs beside authentication. The caller is unknown then, so the work must change
   * nothing and must never reject. `arrivedAt` is real time, Unix ms.
   */
  readonly prepare?: (env: Env, arrivedAt: number) => Prepared;
  readonly responses: T;
  /** Errors of this operation, besides those that every operation of its kind has. */
  readonly errors?: readonly ErrorCode[];
  /** Fields of those errors' bodies, besides `error`, `code` and `request_id`. */
  readonly errorFields?: Partial<Record<ErrorCode, ZodRawShape>>;
}

/** A definition with its handler, ready to be mounted. */
export interface Route {
  readonly definition: RouteDefinition;
  mount(app: Hono<AppEnv>): void;
}

/** The body or the query of a route that takes none. */
export const none = z.strictObject({});

function isNone(schema: ZodType): boolean {
  return schema === none;
}

/**
 * Whether a repeated request with the same `Idempotency-Key` gets the first answer. Nothing is kept of a request
 * that changes nothing, such as one that needs only a permission to read: it runs again.
 */
export function keepsAnswers({ method, access, changesNothing }: RouteDefinition): boolean {
  return method === "post" && changesNothing !== true && !access.kind.endsWith(":read");
}

/** Starts the work of `prepare`, and does not wait for it. */
function startPreparing<Caller, Prepared>(
  prepare: ((env: Env, arrivedAt: number) => Prepared) | undefined,
): RouteStep<Caller, Prepared> {
  return async (c, next) => {
    c.set("prepared", prepare?.(c.env, c.get("arrivedAt")));
    await next();
  };
}

/** Collects the results of the previous steps. */
function requestContextOf<Caller, Body, Query, Prepared>(
  c: ValidContext<Caller, Body, Query, Prepared>,
): RequestContext<Caller, Body, Query, Prepared> {
  const authentication = c.get("authentication");
  if (authentication === undefined) throw new AppError("internal_error");
  return {
    ...authentication,
    env: c.env,
    config: c.get("config"),
    requestId: c.get("requestId"),
    arrivedAt: c.get("arrivedAt"),
    onGuardNotice: ({ first, rate }) => {
      if (rate !== undefined) c.set("rateLimits", [...(c.get("rateLimits") ?? []), rate]);
      if (first === undefined) return;
      c.set("isReplayed", true);
      // The response is that of the first request, whose id is in the audit trail.
      c.set("requestId", first.requestId);
    },
    waitUntil: (work) => c.executionCtx.waitUntil(work),
    body: c.req.valid("json").body,
    query: c.req.valid("query"),
    requestKey: c.get("requestKey") ?? null,
    prepared: c.get("prepared"),
    param: (name) => c.req.param(name) ?? "",
  };
}

export function defineRoute<
  Caller,
  T extends ResponseDefinitions,
  Body extends ZodType,
  Query extends ZodType,
  Prepared = undefined,
>(
  definition: RouteDefinition<Caller, Body, Query, T, Prepared>,
  handle: (
    request: RequestContext<Caller, z.output<Body>, z.output<Query>, Prepared>,
  ) => Promise<HandlerResponse<T> | Response>,
): Route {
  const { method, path, name, access, body, query, prepare, comparedBody, maxBodyBytes } =
    definition;
  return {
    definition,
    mount(app) {
      app.on(
        [method],
        [path],
        reportIfRefused(name),
        receiveBody(maxBodyBytes),
        startPreparing<Caller, Prepared>(prepare),
        authenticate<Caller, Prepared>(access),
        awaitKeyCheck,
        ...(isNone(body) ? [requireNoBody] : [requireUtf8Json, validateBody(body)]),
        validateQuery(query),
        ...(filesInControlPlane(definition) ? [wakeAfterChange] : []),
        ...(definition.trailRead === "counted" ? [countTrailRead] : []),
        ...(keepsAnswers(definition) ? [readRequestKey(name, comparedBody)] : []),
        async (c: ValidContext<Caller, z.output<Body>, z.output<Query>, Prepared>) => {
          const response = await handle(requestContextOf(c));
          return response instanceof Response
            ? setCommonHeaders(c, response)
            : createJsonResponse(c, response.status, response.body);
        },
      );
    },
  };
}
