/** A guard in memory unseals a secret once, and never uses the key of a replaced secret. */
import { afterEach, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { evict, fireAlarm } from "../support/guard.ts";

const stepMs = 30_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Counts the HMAC keys that are imported while a code of a later time step is verified. */
async function countImports(user: User, step: number): Promise<number> {
  const at = Date.now() + step * stepMs;
  user.tenant.clock = new Date(at).toISOString();
  const imports = vi.spyOn(crypto.subtle, "importKey");
  expect((await user.verify(user.code(at))).status).toBe(200);
  const hmacs = imports.mock.calls.filter(([, , algorithm]) =>
    JSON.stringify(algorithm).includes("HMAC"),
  );
  imports.mockRestore();
  return hmacs.length;
}

it("imports the key of a secret with its first code, and again after an eviction or a new secret", async () => {
  const user = await User.withTotp(await Tenant.create());
  expect(await countImports(user, 1)).toBe(1);
  expect(await countImports(user, 2)).toBe(0);
  await fireAlarm(user);
  await evict(user);
  expect(await countImports(user, 3)).toBe(1);
  const old = user.code(Date.now() + 4 * stepMs);
  await user.configure();
  expect(await countImports(user, 5)).toBe(1);
  expect((await user.verify(old)).status).toBe(422);
});
