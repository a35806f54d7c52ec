/** The operations that change tokens and settings, in the same form as operations.ts. */
import type { Tenant } from "./client.ts";
import type { Operation } from "./operations.ts";

async function readTokenNames(tenant: Tenant): Promise<unknown> {
  const { body } = await tenant.send("GET", "/v1/tokens");
  return body.tokens.map(({ name, expires_at }: { name: string; expires_at: string | null }) =>
    expires_at === null ? name : `${name}, ends`,
  );
}

async function prepareTokenOperation(
  tenant: Tenant,
  method: string,
  suffix: string,
  body?: object,
) {
  await tenant.tokenWith(["idp:read"]);
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  const act = () => tenant.send(method, `/v1/tokens/${tokens[1].id}${suffix}`, body);
  return { act, readShown: () => readTokenNames(tenant) };
}

/** Operations that the Worker applies in D1, in one batch with their event. */
export const tenantOperations: readonly Operation[] = [
  {
    name: "create a token",
    prepare: async (tenant) => {
      const token = { name: "second", permissions: ["idp:read"] };
      const act = () => tenant.send("POST", "/v1/tokens", { token });
      return { act, readShown: () => readTokenNames(tenant) };
    },
    before: ["initial"],
    after: ["initial", "second"],
    done: { status: 201, events: ["token.created success"] },
    again: { status: 201, events: ["token.created success"] },
    afterAgain: ["initial", "second", "second"],
  },
  {
    name: "rotate a token",
    prepare: (tenant) =>
      prepareTokenOperation(tenant, "POST", "/rotate", { token: { overlap_seconds: 60 } }),
    before: ["initial", "narrow"],
    after: ["initial", "narrow, ends", "narrow"],
    done: { status: 201, events: ["token.rotated success"] },
    again: { status: 201, events: ["token.rotated success"] },
    afterAgain: ["initial", "narrow, ends", "narrow", "narrow"],
  },
  {
    name: "revoke a token",
    prepare: (tenant) => prepareTokenOperation(tenant, "DELETE", ""),
    before: ["initial", "narrow"],
    after: ["initial"],
    done: { status: 204, events: ["token.revoked success"] },
    again: { status: 404, events: ["request.refused refused not_found"] },
  },
  {
    name: "change the settings",
    prepare: async (tenant) => {
      const settings = { lockout: { lock_seconds: 60 } };
      return {
        act: () => tenant.send("PATCH", "/v1/settings", { settings }),
        readShown: async () =>
          (await tenant.send("GET", "/v1/settings")).body.settings.lockout.lock_seconds,
      };
    },
    before: 900,
    after: 60,
    done: { status: 200, events: ["settings.changed success"] },
    again: { status: 200, events: ["settings.changed success"] },
  },
];
