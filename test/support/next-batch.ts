/** Replaces or watches the batches of one tenant, because deliveries of other tests may come at any time. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

/** Whether a batch names the tenant. @param args of the call */
function isBatchAbout(args: readonly unknown[], tenantId: string): boolean {
  const statements: readonly { readonly params: unknown }[] = Object(args[0]);
  return JSON.stringify(statements.map(({ params }) => params)).includes(tenantId);
}

/**
 * Replaces the next batch that names the tenant, in any database. @param replace gets the call to D1
 * @returns a function that restores the batches before the mocks are restored
 */
export function replaceNextBatchOf(
  tenantId: string,
  replace: (real: () => Promise<unknown>) => Promise<unknown>,
): () => void {
  const database = Object.getPrototypeOf(env.DB);
  const { batch } = database;
  let isPending = true;
  const spy = vi.spyOn(database, "batch").mockImplementation(async function (
    this: unknown,
    ...args: unknown[]
  ) {
    const real = () => batch.apply(this, args);
    if (!isPending || !isBatchAbout(args, tenantId)) return await real();
    isPending = false;
    return await replace(real);
  });
  return () => spy.mockRestore();
}

/** Runs `meanwhile` right before the next batch that names the tenant reaches D1: after its request is authenticated. */
export function beforeNextBatchOf(tenantId: string, meanwhile: () => Promise<unknown>): void {
  replaceNextBatchOf(tenantId, async (real) => {
    await meanwhile();
    return await real();
  });
}

/** Watches batches until the mocks are restored. @returns a function that counts those that named one of the tenants */
export function watchBatchesOf(...tenantIds: readonly string[]): () => number {
  const batches = vi.spyOn(Object.getPrototypeOf(env.DB), "batch");
  const isAboutOne = (args: readonly unknown[]) =>
    tenantIds.some((tenantId) => isBatchAbout(args, tenantId));
  return () => batches.mock.calls.filter(isAboutOne).length;
}
