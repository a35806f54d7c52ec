/** Tokens with so many requests that the isolate asks the rate limiter about each one. */
import { env } from "cloudflare:workers";
import { countRequest } from "../../src/http/rate-limit.ts";

/** More requests than an isolate admits without the limiter. */
const requestsPerToken = 101;

/** Counts many requests for every token of the tenant. They last through the next window. */
export async function sendManyRequests(tenantId: string): Promise<void> {
  const { results } = await env.DB.prepare("SELECT id FROM api_tokens WHERE tenant_id = ?")
    .bind(tenantId)
    .all<{ id: string }>();
  for (const { id } of results) {
    for (let n = 0; n < requestsPerToken; n += 1) {
      await countRequest(env, { tokenId: id, tenantId }, Date.now());
    }
  }
}
