/** Lets something happen while a request is under way. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

/**
 * Runs `meanwhile` right before the next batch that names the tenant reaches D1: after its request is authenticated.
 * Batches about other tenants pass, because deliveries of other tests may come at any time.
 */
export function beforeNextBatchOf(tenantId: string, meanwhile: () => Promise<unknown>): void {
  const database = Object.getPrototypeOf(env.DB);
  const { batch } = database;
  let isPending = true;
  vi.spyOn(database, "batch").mockImplementation(async function (this: unknown, ...args) {
    const statements: readonly { readonly params: unknown }[] = Object(args[0]);
    const isAbout = JSON.stringify(statements.map(({ params }) => params)).includes(tenantId);
    if (isPending && isAbout) {
      isPending = false;
      await meanwhile();
    }
    return await batch.apply(this, args);
  });
}
