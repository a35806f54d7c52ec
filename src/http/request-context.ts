/** What Hono's context holds of a request, and what a route's handler receives. */
import type { Context, MiddlewareHandler } from "hono";
import type { RequestActor } from "../audit/event.ts";
import type { Config } from "../env.ts";
import type { AppError } from "../errors.ts";
import type { FirstRequest, RequestKey } from "../idempotency/request-key.ts";
import type { Location } from "../location.ts";
import type { RateLimit } from "./rate-limit.ts";

interface AppVariables {
  requestId: string;
  /** Real time at which the whole request had arrived, Unix ms. */
  arrivedAt: number;
  config: Config;
  /** Rejects if the keys do not fit the stored data. Unset if that is not checked. */
  keyCheck?: Promise<void>;
  /** Unset if the body arrived whole. */
  bodyError?: AppError;
  /** Set as soon as the token's record is known, whether or not the token may be used. */
  presentedToken?: PresentedToken;
  /** Null if a POST has no `Idempotency-Key`. Unset for other methods. */
  requestKey?: RequestKey | null;
  /** The response is that of an earlier request with the same key. */
  isReplayed?: boolean;
  /** Limits that the request counted against. */
  rateLimits?: readonly RateLimit[];
}

export interface AppEnv {
  Bindings: Env;
  Variables: AppVariables;
}

export type AppContext = Context<AppEnv>;

/** Adds the variables whose types differ from route to route. */
export interface RouteEnv<Caller, Prepared> {
  Bindings: Env;
  Variables: AppVariables & {
    prepared?: Prepared | undefined;
    authentication?: Authentication<Caller>;
  };
}

/** A middleware of every request, or of the requests to one route. */
export type Step = MiddlewareHandler<AppEnv>;
export type RouteStep<Caller, Prepared> = MiddlewareHandler<RouteEnv<Caller, Prepared>>;

/** The JSON of a body as the route's schema returns it, and as the client sent it. */
export interface ValidBody<Body> {
  readonly body: Body;
  readonly sent: unknown;
}

/** The context after the steps of a route, its validators among them. */
export type ValidContext<Caller, Body, Query, Prepared> = Context<
  RouteEnv<Caller, Prepared>,
  string,
  { out: { json: ValidBody<Body>; query: Query } }
>;

/** The API token to which a refused request is attributed. */
export interface PresentedToken {
  readonly tenantId: string;
  readonly tokenId: string;
  /** Location of the tenant's Durable Objects. */
  readonly location: Location;
  /** The ids of the tenant's enabled destinations. */
  readonly destinations: readonly string[];
  /** The time of the request, or of its arrival while the former is not known yet; Unix ms. */
  readonly at: number;
}

/** The result of authentication: the caller, and the time at which the request runs. */
export interface Authentication<Caller> {
  readonly caller: Caller;
  readonly actor: RequestActor;
  /** Unix ms; the tenant's test clock if one was sent. */
  readonly now: number;
  /**
   * Checks again whether the caller may go on, for a response that takes long. What it knows is at most 25 s old.
   * @throws AppError `invalid_token`, `tenant_suspended`; `unavailable` if that cannot be found out
   */
  readonly checkAgain: () => Promise<void>;
}

/** One request, authenticated and validated. */
export interface RequestContext<Caller, Body, Query, Prepared = undefined>
  extends Authentication<Caller> {
  readonly env: Env;
  readonly config: Config;
  readonly requestId: string;
  /** Real time at which the whole request had arrived, Unix ms; no test clock changes it. */
  readonly arrivedAt: number;
  /** From the `Idempotency-Key` header of a POST; null without one. */
  readonly requestKey: RequestKey | null;
  /** Receives what the guard reports besides its result; the response's headers show it. */
  readonly onGuardNotice: (notice: {
    readonly first?: FirstRequest;
    readonly rate?: RateLimit;
  }) => void;
  /** Continues work after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly body: Body;
  readonly query: Query;
  /** The result of the route's `prepare`; undefined without one. */
  readonly prepared: Prepared | undefined;
  /** A parameter of the path; empty if the path has none of that name. */
  param(name: string): string;
}
