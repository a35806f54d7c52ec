/** A secret that is replaced while a code is being compared with it. */
import { afterEach, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** As often, a new secret comes between the moment the guard takes up a secret and its decision. */
async function withNewSecrets(times: number): Promise<User> {
  const user = await User.withTotp(await Tenant.create());
  const prototype = Object.getPrototypeOf(crypto.subtle);
  const real: SubtleCrypto["importKey"] = prototype.importKey;
  let left = times;
  vi.spyOn(prototype, "importKey").mockImplementation(async function (
    this: unknown,
    ...args: unknown[]
  ) {
    const key: CryptoKey = await Reflect.apply(real, this, args);
    if (JSON.stringify(args[2]).includes("HMAC") && left > 0) {
      left -= 1;
      expect((await user.configure()).status).toBe(200);
    }
    return key;
  });
  return user;
}

it("is not accepted by its old code, which is compared with the new secret and counts once", async () => {
  const user = await withNewSecrets(1);
  const { status, body } = await user.verify(user.code(Date.now()));
  expect([status, body.code, body.attempts_remaining]).toEqual([422, "invalid_code", 4]);
  expect(await user.profile()).toMatchObject({ failed_attempts: 1 });
});

it("is followed up to four times", async () => {
  const user = await withNewSecrets(4);
  expect((await user.verify(user.code(Date.now()))).status).toBe(422);
  expect(await user.profile()).toMatchObject({ failed_attempts: 1 });
});

it("is given up the fifth time, with a 503 that counts nothing", async () => {
  const user = await withNewSecrets(5);
  expect((await user.verify(user.code(Date.now()))).status).toBe(503);
  expect(await user.profile()).toMatchObject({ failed_attempts: 0 });
  expect((await user.verify(user.code(Date.now()))).status).toBe(200);
});
