/** Cloudflare's REST API. No error contains the credentials of the login. */
import { z } from "zod";
import { Failure } from "../failure.ts";

const defaultBaseUrl = "https://api.cloudflare.com/client/v4";
const itemsPerPage = 100;

const envelopeSchema = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).nullish(),
  result: z.unknown(),
  result_info: z.object({ total_count: z.number().optional() }).nullish(),
});
type Envelope = z.output<typeof envelopeSchema>;

/** A refusal of Cloudflare's API. */
export class CloudflareError extends Failure {
  readonly status: number;
  readonly codes: readonly number[];

  constructor(message: string, status: number, codes: readonly number[]) {
    super(message);
    this.name = "CloudflareError";
    this.status = status;
    this.codes = codes;
  }
}

interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class CloudflareApi {
  readonly #baseUrl: string;
  readonly #credentials: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  /** @param credentials the headers that carry them */
  constructor(credentials: Readonly<Record<string, string>>, timeoutMs: number) {
    this.#baseUrl = process.env.CLOUDFLARE_API_BASE_URL ?? defaultBaseUrl;
    this.#credentials = credentials;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws CloudflareError, Failure */
  async get<T>(path: string, schema: z.ZodType<T>, options: RequestOptions = {}): Promise<T> {
    return this.#parse(await this.#send("GET", path, options), schema, path);
  }

  /** Undefined if Cloudflare has nothing at the path. @throws CloudflareError, Failure */
  async find<T>(
    path: string,
    schema: z.ZodType<T>,
    options: RequestOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.get(path, schema, options);
    } catch (error) {
      if (error instanceof CloudflareError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** @throws CloudflareError, Failure */
  async post<T>(path: string, schema: z.ZodType<T>, options: RequestOptions): Promise<T> {
    return this.#parse(await this.#send("POST", path, options), schema, path);
  }

  /** All pages of a list. @throws CloudflareError, Failure */
  async list<T>(path: string, item: z.ZodType<T>): Promise<T[]> {
    const items: T[] = [];
    for (let page = 1; ; page += 1) {
      const separator = path.includes("?") ? "&" : "?";
      const paged = `${path}${separator}page=${page}&per_page=${itemsPerPage}`;
      const envelope = await this.#send("GET", paged, {});
      const found = this.#parse(envelope, z.array(item), path);
      items.push(...found);
      const total = envelope.result_info?.total_count;
      const isLast = total === undefined ? found.length < itemsPerPage : items.length >= total;
      if (isLast || found.length === 0) return items;
    }
  }

  #parse<T>(envelope: Envelope, schema: z.ZodType<T>, path: string): T {
    const parsed = schema.safeParse(envelope.result);
    if (parsed.success) return parsed.data;
    throw new Failure(`Cloudflare's answer to ${path} is not what its documents describe.`);
  }

  async #send(method: string, path: string, { body, headers }: RequestOptions): Promise<Envelope> {
    const name = `${method} ${path.replace(/\?.*/, "")}`;
    let status: number;
    let text: string;
    try {
      const response = await fetch(this.#baseUrl + path, {
        method,
        headers: { "Content-Type": "application/json", ...headers, ...this.#credentials },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      status = response.status;
      text = await response.text();
    } catch (error) {
      const isLate = error instanceof Error && error.name === "TimeoutError";
      const reason = isLate
        ? `within ${this.#timeoutMs / 1_000} s`
        : "because the connection broke";
      throw new Failure(`Cloudflare did not answer ${name} ${reason}.`);
    }
    const envelope = parseEnvelope(text);
    if (envelope?.success === true) return envelope;
    const errors = envelope?.errors ?? [];
    const reasons = errors.map(({ code, message }) => `${message} (code ${code})`).join("; ");
    const hint =
      status === 401 || status === 403
        ? " The login may lack a right: docs/deploy.md lists those that it needs."
        : "";
    throw new CloudflareError(
      `Cloudflare answered ${name} with ${status}${reasons === "" ? "" : `: ${reasons}`}.${hint}`,
      status,
      errors.map(({ code }) => code),
    );
  }
}

function parseEnvelope(text: string): Envelope | undefined {
  try {
    return envelopeSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
