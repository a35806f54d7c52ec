import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Answer, send, Tenant, User } from "./support/client.ts";
import {
  namespaceClass,
  provideJurisdictions,
  recordRequestedObjects,
} from "./support/jurisdictions.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function createTenant(tenant: object): Promise<Answer> {
  return send("POST", "/v1/tenants", {
    token: env.OPERATOR_TOKEN,
    body: { tenant: { name: "Acme", mode: "test", ...tenant } },
  });
}

async function countTenants(): Promise<number> {
  const row = await env.DB.prepare("SELECT count(*) AS n FROM tenants").first<{ n: number }>();
  return row?.n ?? 0;
}

/** Uses an object of each kind: guard, prefix watch, refusal log, export register. */
async function useObjects(tenant: Tenant): Promise<void> {
  const user = await User.provision(tenant);
  await user.assess();
  const narrow = await tenant.tokenWith(["idp:read"]);
  expect((await tenant.send("GET", "/v1/tokens", undefined, narrow)).status).toBe(403);
  expect((await tenant.send("GET", "/v1/audit/export")).status).toBe(200);
}

describe("A new tenant", () => {
  it.each([{}, { jurisdiction: null }])("with %j is in no jurisdiction", async (where) => {
    const { status, body } = await createTenant(where);
    expect(status).toBe(201);
    expect(body.tenant).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      name: "Acme",
      mode: "test",
      jurisdiction: null,
      created_at: expect.any(String),
      shard: 0,
    });
    const { events } = (
      await send("GET", "/v1/audit/events?action=tenant.created", { token: body.token.secret })
    ).body;
    expect(events[0].details).toEqual({ mode: "test" });
  });

  it("in a jurisdiction reports it in its answer and in its trail", async () => {
    provideJurisdictions();
    const { status, body } = await createTenant({ jurisdiction: "eu" });
    expect(status).toBe(201);
    expect(body.tenant.jurisdiction).toBe("eu");
    const { events } = (
      await send("GET", "/v1/audit/events?action=tenant.created", { token: body.token.secret })
    ).body;
    expect(events[0].details).toEqual({ mode: "test", jurisdiction: "eu" });
  });

  it.each(["EU", "mars", "", 1, ["eu"], {}])(
    "is refused with the jurisdiction %j",
    async (jurisdiction) => {
      provideJurisdictions();
      const before = await countTenants();
      const { status, body } = await createTenant({ jurisdiction });
      expect([status, body.code]).toEqual([400, "invalid_request"]);
      expect(body.issues[0].path).toBe("tenant.jurisdiction");
      expect(await countTenants()).toBe(before);
    },
  );

  const runtimes: readonly (readonly [string, () => void])[] = [
    ["has no jurisdictions", () => {}],
    [
      "accepts a jurisdiction without effect",
      () => {
        vi.spyOn(namespaceClass, "jurisdiction").mockImplementation(function (this: unknown) {
          return this;
        });
      },
    ],
  ];
  it.each(runtimes)("in a jurisdiction is refused if the runtime %s", async (_, deploy) => {
    deploy();
    const before = await countTenants();
    const { status, body } = await createTenant({ jurisdiction: "eu" });
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.issues).toEqual([
      {
        path: "tenant.jurisdiction",
        message: expect.stringContaining("is not supported by this runtime"),
      },
    ]);
    expect(await countTenants()).toBe(before);
  });
});

describe("A tenant without a location", () => {
  it("has its objects created without a hint, and never uses a jurisdiction", async () => {
    const objects = recordRequestedObjects();
    const restricted = vi.spyOn(namespaceClass, "jurisdiction");
    await useObjects(await Tenant.create());
    expect(new Set(objects.map(({ namespace }) => namespace))).toEqual(
      new Set([
        "EXPORTS",
        "GUARD",
        "PERSONAL_KEYS",
        "PREFIXES",
        "REFUSALS",
        "REGISTER",
        "TENANT_WATCHES",
      ]),
    );
    expect(objects.filter(({ hint }) => hint !== undefined)).toEqual([]);
    expect(restricted).not.toHaveBeenCalled();
  });
});

describe("The setting location.hint", () => {
  it("is passed for every object of the tenant but the token register, and by no guard", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ location: { hint: "apac-ne" } });
    const objects = recordRequestedObjects();
    await useObjects(tenant);
    expect(new Set(objects.map(({ namespace, hint }) => `${namespace} ${hint}`))).toEqual(
      new Set([
        "EXPORTS apac-ne",
        "GUARD apac-ne",
        "PERSONAL_KEYS apac-ne",
        // From a guard, which is near the hint itself.
        "PERSONAL_KEYS undefined",
        "PREFIXES apac-ne",
        "REFUSALS apac-ne",
        "REGISTER undefined",
        "TENANT_WATCHES apac-ne",
      ]),
    );
  });

  it("does not affect other tenants, and ends with null", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    await tenant.setSettings({ location: { hint: "me" } });
    const objects = recordRequestedObjects();
    await useObjects(other);
    await tenant.setSettings({ location: { hint: null } });
    await useObjects(tenant);
    expect(objects.filter(({ hint }) => hint !== undefined)).toEqual([]);
  });

  it("is returned, stored and reported in the trail", async () => {
    const tenant = await Tenant.create();
    const { status, body } = await tenant.send("PATCH", "/v1/settings", {
      settings: { location: { hint: "weur" } },
    });
    expect([status, body.settings.location]).toEqual([200, { hint: "weur" }]);
    const { settings } = (await tenant.send("GET", "/v1/settings")).body;
    expect(settings.location).toEqual({ hint: "weur" });
    const { events } = (await tenant.send("GET", "/v1/audit/events?action=settings.changed")).body;
    expect(events.map(({ details }: { details: object }) => details)).toEqual([
      {
        changed: "location.hint",
        "location.hint.old": null,
        "location.hint.new": "weur",
      },
    ]);
  });

  it("stays within the tenant's jurisdiction", async () => {
    provideJurisdictions();
    const tenant = await Tenant.create("test", { jurisdiction: "eu" });
    await tenant.setSettings({ location: { hint: "eeur" } });
    const { status, body } = await tenant.send("PATCH", "/v1/settings", {
      settings: { location: { hint: "enam" }, otp: { enrolment: "confirm" } },
    });
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.issues).toEqual([
      { path: "settings.location.hint", message: "must lie within the tenant's jurisdiction" },
    ]);
    const { settings } = (await tenant.send("GET", "/v1/settings")).body;
    expect([settings.location.hint, settings.otp.enrolment]).toEqual(["eeur", "immediate"]);
  });
});
