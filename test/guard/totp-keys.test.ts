/** A guard in memory unseals a secret once, and never uses the key of a replaced secret. */
import { afterEach, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { evict, fireAlarm } from "../support/guard.ts";

const stepMs = 30_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Whether the key is of a secret. The stamps of events have keys too, for SHA-256, and deliveries at any time. */
function isTotpKey(algorithm: unknown): boolean {
  return JSON.stringify(algorithm).includes('"SHA-1"');
}

/** Counts the keys of secrets that are imported while a code of a later time step is verified. */
async function countImports(user: User, step: number): Promise<number> {
  const at = Date.now() + step * stepMs;
  user.tenant.clock = new Date(at).toISOString();
  const imports = vi.spyOn(crypto.subtle, "importKey");
  expect((await user.verify(user.code(at))).status).toBe(200);
  const keys = imports.mock.calls.filter(([, , algorithm]) => isTotpKey(algorithm));
  imports.mockRestore();
  return keys.length;
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
