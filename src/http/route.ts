/**
 * A route is defined once: the schemas that validate a request and type its answer are the ones the
 * OpenAPI document is made of.
 */
import type { Hono } from "hono";
import { type ZodRawShape, type ZodType, z } from "zod";
import type { ErrorCode } from "../errors.ts";
import type { Access } from "./access.ts";
import { createJsonResponse, setCommonHeaders } from "./response.ts";
import { readBody, requireJson, requireNoBody } from "./body.ts";
import type { AppContext, AppEnv, EdgeServices, RequestContext } from "./request-context.ts";
import { reportIfRefused } from "./report-refusal.ts";
import { requestKeyOf } from "./idempotency-key.ts";
import { validatorOf } from "./validate.ts";

export interface ResponseDefinition {
  readonly description: string;
  /** Absent for an empty body. */
  readonly body?: ZodType;
  /** Of the body, where it is not JSON. */
  readonly contentType?: string;
}

export type ResponseDefinitions = Readonly<Record<number, ResponseDefinition>>;

type BodyOf<T extends ResponseDefinition> = T extends {
  readonly body: infer Schema extends ZodType;
}
  ? z.input<Schema>
  : null;

/** One of the answers the definition lists: the status and a body of its schema. */
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
  readonly method: "get" | "post" | "patch" | "delete";
  /** With parameters as `:name`. */
  readonly path: string;
  /** `operationId` of the document. */
  readonly name: string;
  readonly summary: string;
  readonly tag: string;
  readonly access: Access<Caller>;
  readonly body: Body;
  readonly query: Query;
  /**
   * Begins what may go on beside the check of the token. It knows nobody yet, so it must change
   * nothing and never reject. `arrivedAt` is real time, Unix ms.
   */
  readonly prepare?: (env: Env, arrivedAt: number) => Prepared;
  readonly responses: T;
  /** Errors of this operation, besides those every operation of its kind has. */
  readonly errors?: readonly ErrorCode[];
  /** What the bodies of those errors hold besides `error`, `code` and `request_id`. */
  readonly errorFields?: Partial<Record<ErrorCode, ZodRawShape>>;
}

/** A definition with its handler, ready to be mounted. */
export interface Route {
  readonly definition: RouteDefinition;
  mount(app: Hono<AppEnv>, services: EdgeServices): void;
}

/** For the body or the query of a route that takes none. */
export const none = z.strictObject({});

function isNone(schema: ZodType): boolean {
  return schema === none;
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
    exchange: RequestContext<Caller, z.output<Body>, z.output<Query>, Prepared>,
    c: AppContext,
  ) => Promise<HandlerResponse<T> | Response>,
): Route {
  const { method, path, name, access, body, query, prepare } = definition;
  const takesBody = !isNone(body);
  const validBody = validatorOf("json", body);
  const validQuery = validatorOf("query", query);
  const takesQuery = !isNone(query);
  const answerTo = async (c: AppContext, { resolveToken }: EdgeServices): Promise<Response> => {
    const sent = await readBody(c);
    c.set("arrivedAt", Date.now());
    const prepared = prepare?.(c.env, c.get("arrivedAt"));
    const admission = await access.authenticate(c, resolveToken);
    await c.get("keysFit");
    if (takesBody) requireJson(c, sent);
    else requireNoBody(sent);
    const answer = await handle(
      {
        ...admission,
        env: c.env,
        config: c.get("config"),
        requestId: c.get("requestId"),
        arrivedAt: c.get("arrivedAt"),
        onGuardNotice: ({ first, rate }) => {
          if (rate !== undefined) c.set("rates", [...(c.get("rates") ?? []), rate]);
          if (first === undefined) return;
          c.set("isRepeated", true);
          // The answer is the first one's, and what the trail has of it bears that id.
          c.set("requestId", first.requestId);
        },
        body: takesBody ? await validBody(c) : body.parse({}),
        query: takesQuery || c.req.url.includes("?") ? await validQuery(c) : query.parse({}),
        requestKey: method === "post" ? await requestKeyOf(c, name, takesBody) : null,
        prepared,
        param: (name) => c.req.param(name) ?? "",
      },
      c,
    );
    return answer instanceof Response
      ? setCommonHeaders(c, answer)
      : createJsonResponse(c, answer.status, answer.body);
  };
  return {
    definition,
    mount(app, services) {
      app.on([method], [path], async (c: AppContext) => {
        try {
          return await answerTo(c, services);
        } catch (error) {
          await reportIfRefused(c, error, definition.name, services);
          throw error;
        }
      });
    },
  };
}
