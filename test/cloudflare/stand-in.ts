/**
 * A stand-in of Cloudflare's API on this machine, with the deployed service behind it. It is written from the published
 * API documents and from what wrangler sends. It can fail at any request.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Account } from "./account.ts";
import { type Answer, fail } from "./answer.ts";
import { assetRoutes } from "./assets.ts";
import { databaseRoutes, exportDatabase } from "./databases.ts";
import type { DeployedService } from "./deployed-service.ts";
import type { Call, Route } from "./route.ts";
import { storeRoutes } from "./stores.ts";
import { triggerRoutes } from "./triggers.ts";
import { workerRoutes } from "./workers.ts";

const routes: readonly Route[] = [
  ...storeRoutes,
  ...databaseRoutes,
  ...workerRoutes,
  ...triggerRoutes,
  ...assetRoutes,
];
const basePath = "/client/v4";

/**
 * How a request fails: `500` before it has an effect, `cut` after its effect with the connection, `hang` after its
 * effect without an answer.
 */
export type FailureKind = "500" | "cut" | "hang";

/** A request of one run of a command: its name, and how many of that name came before it. */
export type RequestKey = `${string} #${number}`;

export interface RecordedRequest {
  readonly key: RequestKey;
  /** Method and path, with the names of ids in place of the ids. */
  readonly name: string;
  readonly writes: boolean;
}

/** From the first request that it chooses on, all requests of that name fail, until `repair`. */
interface PlannedFailure {
  readonly choose: (key: RequestKey) => FailureKind | undefined;
  name: string | undefined;
  kind: FailureKind | undefined;
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const found = path.split("/");
  if (wanted.length !== found.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = decodeURIComponent(found[index] ?? "");
    if (part.startsWith(":")) parameters[part.slice(1)] = value;
    else if (part !== value) return undefined;
  }
  return parameters;
}

function findRoute(method: string, path: string) {
  for (const route of routes) {
    if (route.method !== method) continue;
    const parameters = matchPath(route.path, path);
    if (parameters !== undefined) return { route, parameters };
  }
  return undefined;
}

/** What happens for a request, and what it is called. */
interface Act {
  readonly name: string;
  readonly writes: boolean;
  readonly perform: () => Answer | Promise<Answer>;
}

export class StandIn {
  readonly account: Account;
  readonly service: DeployedService;
  readonly requests: RecordedRequest[] = [];
  /** Requests that the stand-in has no route for: it would not have noticed what they change. */
  readonly unknown: string[] = [];
  readonly #server: Server;
  readonly #counts = new Map<string, number>();
  #failure: PlannedFailure | undefined;

  private constructor(account: Account, service: DeployedService) {
    this.account = account;
    this.service = service;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        // A command that was ended sends no more of its request.
        if (!request.complete) return;
        this.unknown.push(`${request.method} ${request.url}: ${error}`);
        this.#send(response, fail(500, 10001, "The stand-in failed"));
      });
    });
  }

  static async start(account: Account, service: DeployedService): Promise<StandIn> {
    const standIn = new StandIn(account, service);
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("The server has no port");
    return `http://127.0.0.1:${address.port}`;
  }

  get apiUrl(): string {
    return `${this.origin}${basePath}`;
  }

  /**
   * Begins a run of a command.
   * @param choose how a request fails, if it is to fail; it is asked until it has chosen one
   */
  begin(choose: PlannedFailure["choose"] = () => undefined): void {
    this.requests.length = 0;
    this.#counts.clear();
    this.#failure = { choose, name: undefined, kind: undefined };
  }

  /** Ends the failures, and the connections that hang. */
  repair(): void {
    this.#failure = undefined;
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.account.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const url = new URL(request.url ?? "/", this.origin);
    const act = this.#findAct(request, url, body);
    const { name, writes } = act;
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    const key: RequestKey = `${name} #${count}`;
    this.requests.push({ key, name, writes });
    const kind = this.#findFailure(key, name);
    if (kind === "500") {
      this.#send(response, fail(500, 10001, "internal error"));
      return;
    }
    const answer = await act.perform();
    if (kind === "cut") request.socket.destroy();
    else if (kind === undefined) this.#send(response, answer);
  }

  #findFailure(key: RequestKey, name: string): FailureKind | undefined {
    const failure = this.#failure;
    if (failure === undefined) return undefined;
    if (failure.name === undefined) {
      failure.kind = failure.choose(key);
      if (failure.kind !== undefined) failure.name = name;
    }
    return name === failure.name ? failure.kind : undefined;
  }

  #findAct(request: IncomingMessage, url: URL, body: Buffer): Act {
    const method = request.method ?? "GET";
    const [, database] = /^\/exports\/(.+)$/.exec(url.pathname) ?? [];
    if (database !== undefined) return this.#exportAct(database);
    if (!url.pathname.startsWith(`${basePath}/`)) return this.#serviceAct(request, url, body);
    const path = url.pathname.slice(basePath.length);
    const found = findRoute(method, path);
    if (found === undefined) {
      this.unknown.push(`${method} ${path}`);
      const perform = () => fail(404, 7003, "Could not route to the path");
      return { name: `${method} ${path}`, writes: true, perform };
    }
    const { route, parameters } = found;
    const call: Call = {
      origin: this.origin,
      query: url.searchParams,
      parameters,
      body,
      contentType: request.headers["content-type"] ?? "",
      jurisdiction: String(request.headers["cf-r2-jurisdiction"] ?? "default"),
    };
    return {
      name: `${method} ${route.path}`,
      writes: typeof route.writes === "function" ? route.writes(call) : (route.writes ?? false),
      perform: () => {
        if (!this.#isAuthorized(request, route)) return fail(403, 10000, "Authentication error");
        if (parameters.account !== undefined && parameters.account !== this.account.id) {
          return fail(404, 7003, "No such account");
        }
        return route.answer(this.account, call);
      },
    };
  }

  #isAuthorized(request: IncomingMessage, route: Route): boolean {
    const { authorization } = request.headers;
    // Uploads of files have a token of their own.
    if (route.path.endsWith("/assets/upload")) return authorization !== undefined;
    return authorization === `Bearer ${this.account.token}`;
  }

  #exportAct(id: string): Act {
    return {
      name: "GET /exports/:database",
      writes: false,
      perform: () => {
        const database = this.account.databases.get(id);
        const body = database === undefined ? "" : exportDatabase(database.sql);
        return { status: database === undefined ? 404 : 200, body };
      },
    };
  }

  #serviceAct(request: IncomingMessage, url: URL, body: Buffer): Act {
    const method = request.method ?? "GET";
    const key = request.headers["idempotency-key"];
    return {
      name: `${method} the service's ${url.pathname}`,
      writes: method !== "GET",
      perform: () =>
        this.service.answer({
          method,
          path: url.pathname,
          query: url.searchParams,
          authorization: request.headers.authorization,
          idempotencyKey: typeof key === "string" ? key : undefined,
          body,
        }),
    };
  }

  #send(response: ServerResponse, { status, body }: Answer): void {
    const isText = typeof body === "string";
    response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json" });
    response.end(isText ? body : JSON.stringify(body));
  }
}
