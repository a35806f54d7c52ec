/** The test tenants of a soak, with enough tokens that no rate limit is reached. */
import { z } from "zod";
import { Failure } from "../../packages/cli/src/failure.ts";
import { type Request, send } from "./client.ts";

/** The service allows a tenant 500 requests a second. */
const tenants = 4;
/** An isolate asks the limiter about a token with more than ten requests a second, which is slow locally. */
const tokensPerTenant = 12;

const token = z.object({ secret: z.string(), permissions: z.array(z.string()) });
const created = z.object({ tenant: z.object({ id: z.string() }), token });

async function sendSetUp<T>(url: string, asked: Request, schema: z.ZodType<T>): Promise<T> {
  const { status, body } = await send(url, asked);
  if (status === 201) return schema.parse(body);
  throw new Failure(`${asked.method} ${asked.path} answered ${status}: ${JSON.stringify(body)}`);
}

export class SoakTenant {
  readonly tokens: readonly string[];
  #next = 0;

  private constructor(tokens: readonly string[]) {
    this.tokens = tokens;
  }

  static async create(url: string, operatorToken: string): Promise<SoakTenant> {
    const body = { tenant: { name: "Soak", mode: "test" } };
    const asked = { method: "POST", path: "/v1/tenants", token: operatorToken, body } as const;
    const { token: first } = await sendSetUp(url, asked, created);
    const tokens = [first.secret];
    while (tokens.length < tokensPerTenant) {
      const wanted = { name: `soak ${tokens.length}`, permissions: first.permissions };
      const more = await sendSetUp(
        url,
        {
          method: "POST",
          path: "/v1/tokens",
          token: first.secret,
          body: { token: wanted },
        },
        z.object({ token }),
      );
      tokens.push(more.token.secret);
    }
    return new SoakTenant(tokens);
  }

  /** The next token in turn. */
  get token(): string {
    this.#next += 1;
    return this.tokens[this.#next % this.tokens.length] ?? "";
  }
}

/** @throws Failure if the service refuses the operator's token */
export async function createTenants(url: string, operatorToken: string): Promise<SoakTenant[]> {
  const all = Array.from({ length: tenants }, () => SoakTenant.create(url, operatorToken));
  return await Promise.all(all);
}
