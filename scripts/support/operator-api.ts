/** The operator's routes of the API that scripts use. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { z } from "zod";
import { Failure } from "../../packages/cli/src/failure.ts";

const demoFile = join(import.meta.dirname, "..", "..", ".dev", "demo.env");
const defaultUrl = "http://127.0.0.1:8787";

const requestTimeoutMs = 60_000;

const progress = z.object({
  version: z.number(),
  done: z.boolean(),
  seen: z.number(),
  total: z.number(),
  failed: z.number(),
  passes: z.number(),
  left_over: z.number(),
});
export type ReEncryption = z.output<typeof progress>;

const relocation = z.object({
  from: z.number(),
  to: z.number(),
  phase: z.string(),
  table: z.string().nullable(),
  copied: z.number(),
  done: z.boolean(),
});

const rebuild = z.object({ counted: z.number(), total: z.number(), done: z.boolean() });

const keys = z.object({
  keys: z.array(
    z.object({
      keyring: z.string(),
      version: z.number(),
      newest: z.boolean(),
      in_keyring: z.boolean(),
      in_use: z.boolean(),
      backup_code_sets: z.number().nullable(),
    }),
  ),
  counted: z.object({ complete: z.boolean(), at: z.string().nullable() }),
  re_encryption: progress.nullable(),
});

const jwks = z.object({ keys: z.array(z.object({ kid: z.string() })) });

/** The URL of the service that `npm run dev` started last. */
export function findDemoUrl(): string {
  const { IDP_URL } = existsSync(demoFile) ? parseEnv(readFileSync(demoFile, "utf8")) : {};
  return IDP_URL ?? defaultUrl;
}

export class OperatorApi {
  readonly #url: string;
  readonly #token: string;

  /** @param url the address of the service, with or without a slash at the end */
  constructor(url: string, token: string) {
    this.#url = url.replace(/\/+$/, "");
    this.#token = token;
  }

  async keys() {
    return keys.parse(await this.#send("GET", "/v1/keys"));
  }

  /** The public keys of step-up tokens, the newest first. */
  async stepUpKeys() {
    return jwks.parse(await this.#send("GET", "/.well-known/jwks.json")).keys;
  }

  /** Re-encrypts the next identities, at most `limit`. */
  async reEncrypt(limit: number): Promise<ReEncryption> {
    const body = { re_encryption: { limit } };
    const answer = await this.#send("POST", "/v1/keys/re-encryption", body);
    return z.object({ re_encryption: progress }).parse(answer).re_encryption;
  }

  /** Runs the next part of a relocation, at most `limit` pages. */
  async relocate(tenantId: string, shard: number, limit: number) {
    const body = { relocation: { shard, limit } };
    const answer = await this.#send("POST", `/v1/tenants/${tenantId}/relocation`, body);
    return z.object({ relocation }).parse(answer).relocation;
  }

  /** Counts the next events of a tenant, at most `limit` steps. */
  async rebuildStatistics(tenantId: string, restart: boolean, limit: number) {
    const body = { rebuild: { restart, limit } };
    const answer = await this.#send("POST", `/v1/tenants/${tenantId}/statistics`, body);
    return z.object({ rebuild }).parse(answer).rebuild;
  }

  /** @throws Failure if the service does not answer, or answers with an error */
  async #send(method: string, path: string, body?: object): Promise<unknown> {
    let answer: Response;
    try {
      answer = await fetch(`${this.#url}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
    } catch (error) {
      throw new Failure(`The service at ${this.#url} does not answer: ${String(error)}`);
    }
    const text = await answer.text();
    if (!answer.ok) throw new Failure(`The service answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  }
}
