/** Test tenants, and the requests that their tokens authorize. */
import { z } from "zod";
import type { Ours } from "./ours.ts";
import type { Shot } from "./protocol.ts";

/** Tokens of all tenants together, and those that a burst uses of each tenant. */
export const tokens = 80;
const tokensPerBurst = 4;

const token = z.object({
  id: z.string(),
  secret: z.string(),
  permissions: z.array(z.string()),
});
const tenantAnswer = z.object({ tenant: z.object({ id: z.string() }), token });
const tokenAnswer = z.object({ token });

/** One tenant, whose tokens take turns. */
export class TokenTurns {
  readonly tenantId: string;
  readonly #secrets: readonly string[];
  #from = 0;
  #given = 0;

  constructor(tenantId: string, secrets: readonly string[]) {
    this.tenantId = tenantId;
    this.#secrets = secrets;
  }

  /** A burst uses a few tokens, which its warm-up caches. The next burst uses others. */
  startBurst(): void {
    this.#from += tokensPerBurst;
    this.#given = 0;
  }

  next(): string {
    const turn = this.#from + (this.#given++ % tokensPerBurst);
    return this.#secrets[turn % this.#secrets.length] ?? "";
  }
}

export function createPost(
  secret: string,
  path: string,
  body: unknown,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Shot {
  return {
    method: "POST",
    path,
    headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
    status,
  };
}

/** @param at the time by the clock of a test tenant, Unix ms */
export function clockHeader(at: number): Readonly<Record<string, string>> {
  return { "Test-Clock": new Date(at).toISOString() };
}

/** Creates a test tenant through the API, and its tokens. */
export async function createTenant(
  ours: Ours,
  settings: unknown,
  count: number,
): Promise<TokenTurns> {
  const [created = ""] = await ours.send([
    createPost(
      ours.service.operatorToken,
      "/v1/tenants",
      { tenant: { name: "Bench", mode: "test" } },
      201,
    ),
  ]);
  const { tenant, token: first } = tenantAnswer.parse(JSON.parse(created));
  const { permissions } = first;
  const more = await ours.send(
    Array.from({ length: count - 1 }, (_, n) =>
      createPost(first.secret, "/v1/tokens", { token: { name: `bench ${n}`, permissions } }, 201),
    ),
  );
  if (settings !== undefined) {
    await ours.send([
      { ...createPost(first.secret, "/v1/settings", { settings }, 200), method: "PATCH" },
    ]);
  }
  const secrets = more.map((text) => tokenAnswer.parse(JSON.parse(text)).token.secret);
  return new TokenTurns(tenant.id, [first.secret, ...secrets]);
}
