/** A secret is replaced while the guard compares a code with it. */
import { afterEach, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Replaces the secret that many times, each time between the guard's reading of it and its decision. */
async function replaceSecrets(times: number): Promise<User> {
  const user = await User.withTotp(await Tenant.create());
  const prototype = Object.getPrototypeOf(crypto.subtle);
  const real: SubtleCrypto["importKey"] = prototype.importKey;
  let remaining = times;
  vi.spyOn(prototype, "importKey").mockImplementation(async function (
    this: unknown,
    ...args: unknown[]
  ) {
    const key: CryptoKey = await Reflect.apply(real, this, args);
    // Only the keys of secrets are for SHA-1. Deliveries import other keys, at any time.
    if (JSON.stringify(args[2]).includes('"SHA-1"') && remaining > 0) {
      remaining -= 1;
      expect((await user.configure()).status).toBe(200);
    }
    return key;
  });
  return user;
}

it("compares a code of the old secret with the new secret, and counts it once", async () => {
  const user = await replaceSecrets(1);
  const { status, body } = await user.verify(user.code(Date.now()));
  expect([status, body.code, body.attempts_remaining]).toEqual([422, "invalid_code", 4]);
  expect(await user.profile()).toMatchObject({ failed_attempts: 1 });
});

it("follows up to four replacements", async () => {
  const user = await replaceSecrets(4);
  expect((await user.verify(user.code(Date.now()))).status).toBe(422);
  expect(await user.profile()).toMatchObject({ failed_attempts: 1 });
});

it("answers 503 at the fifth replacement and counts no failure", async () => {
  const user = await replaceSecrets(5);
  expect((await user.verify(user.code(Date.now()))).status).toBe(503);
  expect(await user.profile()).toMatchObject({ failed_attempts: 0 });
  expect((await user.verify(user.code(Date.now()))).status).toBe(200);
});
