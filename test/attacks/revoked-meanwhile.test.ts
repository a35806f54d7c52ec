/** Promise 4: a token changes nothing in D1 after its revocation, even in a request that began before it. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { beforeNextBatchOf } from "../support/next-batch.ts";
import { delayRegister } from "../support/token-register.ts";
import { sql } from "../support/trail.ts";
import { tally } from "./at-once.ts";
import { fixedLocations } from "./tenant-locations.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const hourMs = 60 * 60 * 1000;
const permissions = ["idp:write", "tokens:write", "settings:write"];

interface Created {
  readonly id: string;
  readonly secret: string;
}

async function createToken(tenant: Tenant, fields: object = {}): Promise<Created> {
  const token = { name: "stolen", permissions, ...fields };
  return (await tenant.send("POST", "/v1/tokens", { token })).body.token;
}

const end = (column: string) => (id: string) =>
  sql(`UPDATE api_tokens SET ${column} = 1 WHERE id = ?`, id);

/** What ends a token, as another isolate does: D1 changes, and this isolate gets no notice. */
const endings = [
  ["is revoked", end("revoked_at")],
  ["expires", end("expires_at")],
] as const;

interface Change {
  readonly name: string;
  readonly method: string;
  readonly path: (other: Created) => string;
  readonly body: object;
}

const changes: readonly Change[] = [
  {
    name: "creates a token",
    method: "POST",
    path: () => "/v1/tokens",
    body: { token: { name: "successor", permissions } },
  },
  {
    name: "rotates a token",
    method: "POST",
    path: ({ id }) => `/v1/tokens/${id}/rotate`,
    body: { token: { overlap_seconds: 60 } },
  },
  {
    name: "changes the settings",
    method: "PATCH",
    path: () => "/v1/settings",
    body: { settings: { lockout: { lock_seconds: 1 } } },
  },
];

/** Everything that the tenant has in D1 apart from the trail. */
async function readTenant(tenant: Tenant): Promise<unknown> {
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  return {
    settings: (await tenant.send("GET", "/v1/settings")).body.settings,
    tokens: tokens.map(({ id, expires_at }: Answer["body"]) => [id, expires_at]),
    keys: await rowsIn(0, "request_keys", tenant.id),
  };
}

async function listActions(tenant: Tenant): Promise<string[]> {
  const { body } = await tenant.send("GET", "/v1/audit/events?limit=100");
  return body.events.map(({ action }: Answer["body"]) => action);
}

describe.each(fixedLocations)("For a tenant $location", ({ tenant: create }) => {
  describe.each(endings)("A token that %s between authentication and the batch", (_, endToken) => {
    it.each(changes)("$name: the answer is 401, and nothing is written", async (change) => {
      const tenant = await create();
      const stolen = await createToken(tenant);
      const other = await createToken(tenant);
      const before = await readTenant(tenant);
      const actions = await listActions(tenant);
      tenant.requestKey = "a-key";
      beforeNextBatchOf(tenant.id, () => endToken(stolen.id));
      const path = change.path(other);
      const answer = await tenant.send(change.method, path, change.body, stolen.secret);
      expect(tally([answer])).toEqual({ "401 invalid_token": 1 });
      expect(answer.headers.get("WWW-Authenticate")).toBe('Bearer error="invalid_token"');
      const { tokens, ...rest } = Object(await readTenant(tenant));
      const { tokens: tokensBefore, ...restBefore } = Object(before);
      expect(rest).toEqual(restBefore);
      const isOther = ([id]: readonly unknown[]) => id !== stolen.id;
      expect(tokens.filter(isOther)).toEqual(tokensBefore.filter(isOther));
      const added = (await listActions(tenant)).slice(0, -actions.length);
      expect(added.filter((action) => action !== "request.refused")).toEqual([]);
    });
  });
});

async function revocationsOf(tenant: Tenant): Promise<Answer["body"][]> {
  return (await tenant.send("GET", "/v1/audit/events?action=token.revoked")).body.events;
}

describe("A token that ends between authentication and the batch", () => {
  it.each(endings)(
    "and %s claims no request key for a change that a guard decides",
    async (_, endToken) => {
      const tenant = await Tenant.create();
      const user = await User.provision(tenant);
      const stolen = await createToken(tenant);
      tenant.requestKey = "a-key";
      beforeNextBatchOf(tenant.id, () => endToken(stolen.id));
      const otp = { issuer_name: "Acme", account_name: "alexander" };
      const answer = await tenant.send("POST", user.path("/otp"), { otp }, stolen.secret);
      expect(tally([answer])).toEqual({ "401 invalid_token": 1 });
      expect(await rowsIn(0, "request_keys", tenant.id)).toEqual([]);
      expect((await user.profile()).has_otp).toBe(false);
    },
  );
});

describe("A token that ends before its revocation of another token reaches the register", () => {
  const endings: Readonly<Record<string, (tenant: Tenant, id: string) => Promise<void>>> = {
    "is revoked": async (tenant, id) => {
      await tenant.send("DELETE", `/v1/tokens/${id}`);
    },
    "is rotated without overlap": async (tenant, id) => {
      await tenant.send("POST", `/v1/tokens/${id}/rotate`, { token: { overlap_seconds: 0 } });
    },
    expires: async () => {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hourMs });
    },
  };

  it.each(Object.entries(endings))("and %s revokes nothing", async (_, endToken) => {
    const tenant = await Tenant.create();
    const expires_at = new Date(Date.now() + hourMs).toISOString();
    const stolen = await createToken(tenant, { expires_at });
    const other = await createToken(tenant);
    delayRegister(() => endToken(tenant, stolen.id));
    const path = `/v1/tokens/${other.id}`;
    const answer = await tenant.send("DELETE", path, undefined, stolen.secret);
    expect(tally([answer])).toEqual({ "401 invalid_token": 1 });
    const used = await tenant.send("GET", "/v1/tokens", undefined, other.secret);
    expect(used.body.tokens.map(({ id }: Answer["body"]) => id)).toContain(other.id);
    expect((await revocationsOf(tenant)).map(({ target }) => target.id)).not.toContain(other.id);
  });
});

describe("A token that ends while it is rotated", () => {
  it.each(endings)("and %s gets no successor", async (_, endToken) => {
    const tenant = await Tenant.create();
    const old = await createToken(tenant);
    beforeNextBatchOf(tenant.id, () => endToken(old.id));
    const path = `/v1/tokens/${old.id}/rotate`;
    const answer = await tenant.send("POST", path, { token: { overlap_seconds: 60 } });
    expect(tally([answer])).toEqual({ "404 not_found": 1 });
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    expect(tokens.filter(({ id }: Answer["body"]) => id !== old.id)).toHaveLength(1);
    expect(await listActions(tenant)).not.toContain("token.rotated");
  });
});

describe("A rotation without overlap that two isolates run with one key", () => {
  it("has one successor, which both answers show", async () => {
    const tenant = await Tenant.create();
    const old = await createToken(tenant);
    tenant.requestKey = "one-rotation";
    const rotate = () =>
      tenant.send("POST", `/v1/tokens/${old.id}/rotate`, { token: { overlap_seconds: 0 } });
    const answers: Answer[] = [];
    beforeNextBatchOf(tenant.id, async () => {
      // Half a minute later this isolate does not count the first request as running.
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
      answers.push(await rotate());
      vi.useRealTimers();
    });
    answers.push(await rotate());
    expect(tally(answers)).toEqual({ 201: 2 });
    expect(answers[1]?.body).toEqual(answers[0]?.body);
    expect(answers[1]?.headers.get("Idempotent-Replayed")).toBe("true");
  });
});

describe("A stolen token that creates and rotates in a loop", () => {
  const rounds = inject("isFull") ? 20 : 3;
  const loops = 8;

  it(`has no successor from after its revocation, in ${rounds} rounds`, {
    timeout: 120_000,
  }, async () => {
    for (let round = 0; round < rounds; round += 1) {
      const tenant = await Tenant.create();
      const stolen = await createToken(tenant);
      const other = await createToken(tenant, { permissions: ["idp:read"] });
      const attack = async (index: number) => {
        const [path, body] =
          index % 2 === 0
            ? ["/v1/tokens", { token: { name: "successor", permissions } }]
            : [`/v1/tokens/${other.id}/rotate`, { token: {} }];
        const answers: Answer[] = [];
        while (answers.at(-1)?.status !== 401) {
          answers.push(await tenant.send("POST", path, body, stolen.secret));
        }
        return answers;
      };
      const count = env.DB.prepare("SELECT count(*) AS n FROM api_tokens WHERE tenant_id = ?").bind(
        tenant.id,
      );
      // In D1 alone, so that this isolate continues with its cached record.
      const revoke = async () => {
        await vi.waitUntil(async () => ((await count.first<number>("n")) ?? 0) > 10, 20_000);
        const revocation = env.DB.prepare("UPDATE api_tokens SET revoked_at = 1 WHERE id = ?");
        const [, counted] = await env.DB.batch<{ n: number }>([revocation.bind(stolen.id), count]);
        return counted?.results[0]?.n;
      };
      const [atRevocation, ...answers] = await Promise.all([
        revoke(),
        ...Array.from({ length: loops }, (_, index) => attack(index)),
      ]);
      expect(await count.first("n")).toBe(atRevocation);
      const created = answers.flat().filter(({ status }) => status === 201);
      // Besides the initial, the stolen and the rotated token.
      expect(created).toHaveLength((atRevocation ?? 0) - 3);
    }
  });
});
