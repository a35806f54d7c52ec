/** What a handler is given: one request, authenticated and validated. */
import type { Context } from "hono";
import type { Actor } from "../audit/event.ts";
import type { RefusedRequest } from "../audit/refused-request.ts";
import type { Config } from "../env.ts";
import type { FirstRequest, RequestKey } from "../idempotency/request-key.ts";
import type { Location } from "../location.ts";
import type { ResolvedToken } from "../tenancy/caller.ts";
import type { RateLimit } from "./rate-limit.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** Real time at which the request was here whole, Unix ms. */
    arrivedAt: number;
    config: Config;
    /** Settles once the keys are known to fit the data. Not set where that does not matter. */
    keysFit?: Promise<void>;
    /** Whose token was presented, as soon as that is known, whether or not it may be used. */
    attribution?: PresentedToken;
    /** This request repeats one, and has its answer. */
    isRepeated?: boolean;
    /** Limits the request counted against. */
    rates?: readonly RateLimit[];
  };
}

/** To whom a request that is refused can be attributed. */
export interface PresentedToken {
  readonly tenantId: string;
  readonly tokenId: string;
  /** Where the tenant's objects are. */
  readonly location: Location;
  /** Unix ms: the time of the request, or of its arrival where it has no other. */
  readonly at: number;
}

export type AppContext = Context<AppEnv>;

/** Who calls, and at what time the request runs. */
export interface Authentication<Caller> {
  readonly caller: Caller;
  readonly actor: Actor;
  /** Unix ms; the tenant's test clock where one was sent. */
  readonly now: number;
}

export interface RequestContext<Caller, Body, Query, Prepared = undefined>
  extends Authentication<Caller> {
  readonly env: Env;
  readonly config: Config;
  readonly requestId: string;
  /** Real time at which the request was here whole, Unix ms; for what no test clock changes. */
  readonly arrivedAt: number;
  /** Of the `Idempotency-Key` of a POST; null without one. */
  readonly requestKey: RequestKey | null;
  /** Hears what is to be said with the answer. */
  readonly onGuardNotice: (news: {
    readonly first?: FirstRequest;
    readonly rate?: RateLimit;
  }) => void;
  readonly body: Body;
  readonly query: Query;
  /** What the route's `prepare` gave; undefined without one. */
  readonly prepared: Prepared | undefined;
  /** A parameter of the path; empty where the path has none of that name. */
  param(name: string): string;
}

/**
 * Turns a presented API token into its caller; undefined when it is unknown. Whether it has expired
 * depends on the time of the request, which is known only once the tenant is.
 *
 * @param now real time, Unix ms
 * @param anew asks the stores, whatever is remembered of the token
 */
export type ResolveToken = (
  env: Env,
  token: string,
  now: number,
  anew: boolean,
  waitUntil: (work: Promise<unknown>) => void,
) => Promise<ResolvedToken | undefined>;

/** Tells the trail of a refused request. Never throws: what cannot be told is logged. */
export type ReportRefusal = (
  env: Env,
  refused: RefusedRequest,
  waitUntil: (work: Promise<unknown>) => void,
) => Promise<void>;

/** What the edge is given of the features, which it does not know. */
export interface EdgeServices {
  readonly resolveToken: ResolveToken;
  readonly reportRefusal: ReportRefusal;
}
