/**
 * The deployed service, played: it is ready if its active version has code, every secret and every binding, and if
 * its databases have the migrations that it needs. Tenants are rows of its D1 database.
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Account, Version } from "./account.ts";
import type { Answer } from "./answer.ts";

/** What the version that a project uploads needs. */
export interface Needs {
  readonly secrets: readonly string[];
  readonly bindings: readonly string[];
  /** Of a version of the product. */
  readonly migrations: (version: string) => number;
}

export interface ServiceRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: Buffer;
}

const countSchema = z.object({ count: z.number() });
const tenantBody = z.strictObject({
  tenant: z.strictObject({
    name: z.string(),
    mode: z.string(),
    jurisdiction: z.string().nullable(),
    shard: z.literal(0),
  }),
});

interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly jurisdiction: string | null;
}

const refuse = (status: number, code: string, error: string): Answer => ({
  status,
  body: { error, code, request_id: "00000000000000000000000000000000" },
});

/** The version of the product, which an upload names in its message. */
export function versionOf({ annotations }: Version): string {
  return annotations["workers/message"]?.replace("Edge IDP ", "") ?? "";
}

export class DeployedService {
  readonly tenants: Tenant[] = [];
  /** Of tokens that the service has handed out. */
  readonly secrets: string[] = [];
  /** By idempotency key. */
  readonly #kept = new Map<string, Answer>();
  readonly #account: Account;
  readonly #needs: Needs;
  /** A broken version never becomes ready. */
  isBroken: (version: string) => boolean = () => false;

  constructor(account: Account, needs: Needs) {
    this.#account = account;
    this.#needs = needs;
  }

  answer(request: ServiceRequest): Answer {
    const version = this.#findVersion();
    if (version === undefined) return refuse(404, "not_found", "There is nothing here yet");
    if (request.path === "/openapi.json") {
      return { status: 200, body: { openapi: "3.1.0", info: { version: versionOf(version) } } };
    }
    const problem = this.#findProblem(version);
    if (problem !== undefined) return refuse(503, "unavailable", `Not ready: ${problem}`);
    if (request.path === "/readyz") return { status: 200, body: { status: "ready" } };
    if (request.authorization !== `Bearer ${version.secrets.get("OPERATOR_TOKEN")}`) {
      return refuse(401, "invalid_token", "The token is not valid.");
    }
    if (request.path === "/v1/tenants" && request.method === "GET") return this.#list(request);
    if (request.path === "/v1/tenants" && request.method === "POST") return this.#create(request);
    return refuse(404, "not_found", "There is no such route.");
  }

  #findVersion(): Version | undefined {
    const [script] = this.#account.scripts.values();
    if (script === undefined || !(script.isOnWorkersDev || this.#account.domains.size > 0))
      return undefined;
    return this.#account.findActiveVersion(script);
  }

  #findProblem(version: Version): string | undefined {
    if (this.isBroken(versionOf(version))) return "the version is broken.";
    if (!version.hasCode) return "the version has no code.";
    const secret = this.#needs.secrets.find((name) => !version.secrets.get(name));
    if (secret !== undefined) return `${secret} is missing.`;
    const names = version.bindings.map(({ name }) => name);
    const binding = this.#needs.bindings.find((name) => !names.includes(name));
    if (binding !== undefined) return `the binding ${binding} is missing.`;
    for (const { type, database_id: id, id: other } of version.bindings) {
      if (type !== "d1") continue;
      const database = this.#account.databases.get(String(id ?? other));
      const row = database?.sql.prepare("SELECT count(*) AS count FROM d1_migrations").get();
      const { count } = countSchema.parse(row);
      if (count < this.#needs.migrations(versionOf(version)))
        return `a database has ${count} migrations.`;
    }
    return undefined;
  }

  #list({ query }: ServiceRequest): Answer {
    const limit = Number(query.get("limit") ?? 100);
    const after = query.get("after");
    const begin = after === null ? 0 : this.tenants.findIndex(({ id }) => id === after) + 1;
    const tenants = this.tenants.slice(begin, begin + limit);
    const hasMore = begin + limit < this.tenants.length;
    const next = hasMore ? (tenants.at(-1)?.id ?? null) : null;
    return { status: 200, body: { tenants, has_more: hasMore, next_after: next } };
  }

  #create({ body, idempotencyKey }: ServiceRequest): Answer {
    const kept = idempotencyKey === undefined ? undefined : this.#kept.get(idempotencyKey);
    if (kept !== undefined) return kept;
    const { tenant: wanted } = tenantBody.parse(JSON.parse(body.toString("utf8")));
    const tenant = {
      id: randomBytes(12).toString("hex"),
      name: wanted.name,
      jurisdiction: wanted.jurisdiction,
    };
    this.tenants.push(tenant);
    const secret = `idp_live_${randomBytes(24).toString("hex")}`;
    this.secrets.push(secret);
    const answer = { status: 201, body: { tenant, token: { id: "1", name: "first", secret } } };
    if (idempotencyKey !== undefined) this.#kept.set(idempotencyKey, answer);
    return answer;
  }
}
