/** Tenants with so many requests that the isolate asks the rate limiters about each one. */
import { env } from "cloudflare:workers";
import { countRequest } from "../../src/http/rate-limit.ts";

/** More requests than an isolate admits without the limiter of a token, or of a tenant. */
const requestsPerToken = 101;
const requestsPerTenant = 501;

/** Counts many requests for the tenant and for each of its tokens. They last through the next window. */
export async function sendManyRequests(tenantId: string): Promise<void> {
  const { results } = await env.DB.prepare("SELECT id FROM api_tokens WHERE tenant_id = ?")
    .bind(tenantId)
    .all<{ id: string }>();
  for (const { id } of results) {
    for (let n = 0; n < requestsPerToken; n += 1) {
      await countRequest(env, { tokenId: id, tenantId }, Date.now());
    }
  }
  for (let n = 0; n < requestsPerTenant; n += 1) {
    await countRequest(env, { tokenId: tenantId, tenantId }, Date.now());
  }
}
