/** The token register of a tenant, and faults of it. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { TokenRegister } from "../../src/tenancy/token-register.ts";
import type { Tenant } from "./client.ts";

export function registerOf(tenant: Tenant): DurableObjectStub<TokenRegister> {
  return env.REGISTER.get(env.REGISTER.idFromName(tenant.id));
}

/** Runs `meanwhile` right before the next revocation reaches its register. */
export function delayRegister(meanwhile: () => Promise<void>): void {
  const { revoke } = TokenRegister.prototype;
  vi.spyOn(TokenRegister.prototype, "revoke").mockImplementationOnce(async function (
    this: TokenRegister,
    ...args
  ) {
    await meanwhile();
    return await revoke.apply(this, args);
  });
}
