/** Tenants with so many requests that the isolate asks the rate limiters about each one. */
import { env } from "cloudflare:workers";
import { countRequest } from "../../src/http/rate-limit.ts";

/** More requests than an isolate admits without the limiter of a token, or of a tenant. */
const requestsPerToken = 101;
const requestsPerTenant = 501;

const admit = async () => ({ success: true });
/** Asking the real limiters would take most of a test's time, and their counts do not matter here. */
const admitting: Env = {
  ...env,
  TOKEN_RATE_LIMIT: { limit: admit },
  TENANT_RATE_LIMIT: { limit: admit },
};

/** Counts many requests for the tenant and for each of its tokens. They last through the next window. */
export async function sendManyRequests(tenantId: string): Promise<void> {
  const { results } = await env.DB.prepare("SELECT id FROM api_tokens WHERE tenant_id = ?")
    .bind(tenantId)
    .all<{ id: string }>();
  // All at one time, so that they cannot fall into two windows.
  const now = Date.now();
  for (const { id } of results) {
    for (let n = 0; n < requestsPerToken; n += 1) {
      await countRequest(admitting, { tokenId: id, tenantId }, now);
    }
  }
  for (let n = results.length * requestsPerToken; n < requestsPerTenant; n += 1) {
    await countRequest(admitting, { tokenId: tenantId, tenantId }, now);
  }
}
