/** Tokens that are asked with so often that the isolate asks the limiter about each request. */
import { env } from "cloudflare:workers";
import { countRequest } from "../../src/http/rate-limit.ts";

/** More than an isolate lets pass by its own count. */
const requestsPerToken = 101;

/** Has all tokens of the tenant be busy, from now on and through the next window. */
export async function sendManyRequests(tenantId: string): Promise<void> {
  const { results } = await env.DB.prepare("SELECT id FROM api_tokens WHERE tenant_id = ?")
    .bind(tenantId)
    .all<{ id: string }>();
  for (const { id } of results) {
    for (let n = 0; n < requestsPerToken; n += 1) await countRequest(env, id, Date.now());
  }
}
