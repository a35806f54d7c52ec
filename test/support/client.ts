/**
 * A client of the service as a backend developer would write it. It checks every answer against the
 * OpenAPI document.
 */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { BoundedMap } from "../../src/bounded-map.ts";
import worker from "../../src/index.ts";
import { codeFor } from "./authenticator.ts";
import { findContradiction } from "./openapi-conformity.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads the fields that it expects, and fails otherwise.
  readonly body: any;
}

export interface Call {
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

const origin = "https://idp.test";

/** The contexts of the latest requests, by request id. */
const contexts = new BoundedMap<string, ExecutionContext>({ maxEntries: 100 });

/** Waits for what a request, one of the latest, does after its answer. */
export async function waitForRequest(requestId: string): Promise<void> {
  const context = contexts.get(requestId);
  if (context === undefined) throw new Error(`No recent request has the id ${requestId}`);
  await waitOnExecutionContext(context);
}

/** Calls the Worker directly, because `exports.default.fetch` gets slower with every call in a file. */
export async function fetchAnswer(request: Request, bindings: Env = env): Promise<Answer> {
  const context = createExecutionContext();
  const response = await worker.fetch(request, bindings, context);
  contexts.set(response.headers.get("X-Request-Id") ?? "", context);
  const text = new TextDecoder().decode(await response.arrayBuffer());
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json") ?? false;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== "" ? JSON.parse(text) : text,
  };
}

export async function send(method: string, path: string, call: Call = {}): Promise<Answer> {
  const headers = new Headers(call.headers);
  if (call.token !== undefined) headers.set("Authorization", `Bearer ${call.token}`);
  if (call.body !== undefined && !headers.has("Content-Type")) {
    headers.set("Content-Type", "application/json");
  }
  const body =
    call.body === undefined || typeof call.body === "string" || call.body instanceof Uint8Array
      ? call.body
      : JSON.stringify(call.body);
  const request = new Request(`${origin}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const answer = await fetchAnswer(request);
  const wrong = await findContradiction(method, path, answer);
  if (wrong !== undefined) throw new Error(wrong);
  return answer;
}

/** A tenant. Each test creates its own, so that tests do not affect each other. */
export class Tenant {
  readonly id: string;
  readonly token: string;
  readonly jurisdiction: "eu" | undefined;
  /** The test clock in RFC 3339 format. If it is set, every request of the tenant runs at that time. */
  clock: string | undefined;
  /** The `Idempotency-Key`. If it is set, every POST of the tenant carries it. */
  requestKey: string | undefined;

  private constructor(id: string, token: string, jurisdiction: "eu" | undefined) {
    this.id = id;
    this.token = token;
    this.jurisdiction = jurisdiction;
  }

  /** @param where the tenant's jurisdiction and shard */
  static async create(
    mode: "live" | "test" = "test",
    where: { readonly jurisdiction?: "eu"; readonly shard?: number } = {},
  ): Promise<Tenant> {
    const { status, body } = await send("POST", "/v1/tenants", {
      token: env.OPERATOR_TOKEN,
      body: { tenant: { name: "Acme", mode, ...where } },
    });
    if (status !== 201) throw new Error(`No tenant: ${status} ${JSON.stringify(body)}`);
    return new Tenant(body.tenant.id, body.token.secret, where.jurisdiction);
  }

  async send(method: string, path: string, body?: unknown, token = this.token): Promise<Answer> {
    const headers: Record<string, string> = {
      ...(this.clock === undefined ? {} : { "Test-Clock": this.clock }),
      ...(this.requestKey === undefined || method !== "POST"
        ? {}
        : { "Idempotency-Key": this.requestKey }),
    };
    return await send(method, path, { token, headers, ...(body === undefined ? {} : { body }) });
  }

  /** Creates another token with these permissions only. */
  async tokenWith(permissions: readonly string[]): Promise<string> {
    const { body } = await this.send("POST", "/v1/tokens", {
      token: { name: "narrow", permissions },
    });
    return body.token.secret;
  }

  /** Allows the export of secrets, and creates a token that may do it. */
  async allowExport(): Promise<string> {
    await this.setSettings({ export: { secrets: true } });
    return await this.tokenWith(["idp:export"]);
  }

  async setSettings(settings: unknown): Promise<void> {
    const { status, body } = await this.send("PATCH", "/v1/settings", { settings });
    if (status !== 200) throw new Error(`No settings: ${status} ${JSON.stringify(body)}`);
  }
}

let users = 0;

/** One user of a tenant, and the authenticator of that user. */
export class User {
  readonly tenant: Tenant;
  readonly externalId: string;
  readonly id: string;
  secret = "";

  private constructor(tenant: Tenant, externalId: string, id: string) {
    this.tenant = tenant;
    this.externalId = externalId;
    this.id = id;
  }

  static async provision(tenant: Tenant, externalId = `user-${++users}`): Promise<User> {
    const { status, body } = await tenant.send("POST", "/v1/idp/users", {
      user: { external_id: externalId },
    });
    if (status !== 201) throw new Error(`No user: ${status} ${JSON.stringify(body)}`);
    return new User(tenant, externalId, body.user.id);
  }

  /** Provisions a user and configures TOTP. */
  static async withTotp(tenant: Tenant, externalId?: string): Promise<User> {
    const user = await User.provision(tenant, externalId);
    await user.configure();
    return user;
  }

  path(suffix = ""): string {
    return `/v1/idp/user${suffix}?externalUserId=${encodeURIComponent(this.externalId)}`;
  }

  async configure(): Promise<Answer> {
    const answer = await this.tenant.send("POST", this.path("/otp"), {
      otp: { issuer_name: "Acme", account_name: "alexander" },
    });
    if (answer.status === 200) this.secret = answer.body.user.new_otp_secret;
    return answer;
  }

  /** Adds an authenticator beside those that the user has. @throws if the status is not 201 */
  async addAuthenticator(parameters: object = {}): Promise<Answer["body"]> {
    const labels = { issuer_name: "Acme", account_name: "alexander" };
    const { status, body } = await this.tenant.send("POST", this.path("/authenticators"), {
      authenticator: { ...labels, ...parameters },
    });
    if (status !== 201) throw new Error(`Not added: ${status} ${JSON.stringify(body)}`);
    return body.authenticator;
  }

  async authenticators(): Promise<Answer["body"][]> {
    return (await this.tenant.send("GET", this.path("/authenticators"))).body.authenticators;
  }

  async verify(code: unknown, token?: string, assessmentId?: string): Promise<Answer> {
    const reference = assessmentId === undefined ? {} : { assessment_id: assessmentId };
    const body = { otp: { id: this.externalId, code, ...reference } };
    return await this.tenant.send("POST", "/v1/idp/otp/verify", body, token);
  }

  /** Verifies a code that is to confirm the pending secret. */
  async confirm(code: string): Promise<Answer> {
    const body = { otp: { id: this.externalId, code, purpose: "confirm" } };
    return await this.tenant.send("POST", "/v1/idp/otp/verify", body);
  }

  async discover(context: object = {}): Promise<Answer> {
    return await this.tenant.send("POST", "/v1/sentinel/discover", {
      sentinel: {
        id: this.id,
        context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0", ...context },
      },
    });
  }

  /** The assessment of a session that is not denied. @throws if the status is not 200 */
  async assess(context: object = {}): Promise<Answer["body"]> {
    const { status, body } = await this.discover(context);
    if (status !== 200) throw new Error(`Not assessed: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async sendFeedback(assessmentId: string, outcome: string): Promise<Answer> {
    return await this.tenant.send("POST", "/v1/sentinel/feedback", {
      feedback: { assessment_id: assessmentId, outcome },
    });
  }

  async backupCodes(): Promise<string[]> {
    const { body } = await this.tenant.send("POST", this.path("/backup-codes"));
    return body.user.backupCodes;
  }

  async profile(): Promise<Answer["body"]> {
    return (await this.tenant.send("GET", this.path())).body;
  }

  async events(): Promise<Answer["body"][]> {
    const query = `externalUserId=${encodeURIComponent(this.externalId)}&limit=100`;
    return (await this.tenant.send("GET", `/v1/audit/events?${query}`)).body.events;
  }

  /** The code for a time (Unix ms), from an independent implementation. */
  code(at: number): string {
    return codeFor(this.secret, at);
  }

  /** A code that differs from every code within two time steps of that time. */
  wrongCode(at: number): string {
    const right = [-2, -1, 0, 1, 2].map((steps) => this.code(at + steps * 30_000));
    return (
      ["000000", "111111", "222222", "333333", "444444", "555555"].filter(
        (code) => !right.includes(code),
      )[0] ?? ""
    );
  }
}
