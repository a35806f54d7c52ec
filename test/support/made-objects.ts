/** One object of each class of Durable Objects, with something in every table and under every key that it may have. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beginAt, type FollowerState } from "../../src/destinations/advance.ts";
import { FollowerStorage } from "../../src/destinations/follower-storage.ts";
import { StoredOutbox } from "../../src/guard/stored-outbox.ts";
import { RetryAlarm } from "../../src/retry-alarm.ts";
import { Tenant, User } from "./client.ts";
import { guardOf } from "./guard.ts";
import { refusalLogOf } from "./refusal-log.ts";
import { type ObjectContent, readObject } from "./stored-names.ts";
import { registerOf } from "./token-register.ts";

/** The bindings of the service's objects: the compiler asks for a maker of each. */
type Binding = {
  [Name in keyof Env]-?: Env[Name] extends DurableObjectNamespace ? Name : never;
}[keyof Env];

async function read(stub: DurableObjectStub): Promise<ObjectContent> {
  return await runInDurableObject(stub, (_object, { storage }) => readObject(storage));
}

/** What several objects of a class have. */
function unite(contents: readonly ObjectContent[]): ObjectContent {
  return {
    columns: [...new Set(contents.flatMap(({ columns }) => columns))],
    values: Object.assign({}, ...contents.map(({ values }) => values)),
    state: undefined,
  };
}

async function makeGuard(): Promise<ObjectContent> {
  const tenant = await Tenant.create();
  tenant.requestKey = crypto.randomUUID();
  const user = await User.withTotp(tenant);
  tenant.requestKey = undefined;
  await user.sendFeedback((await user.assess()).assessment_id, "legitimate");
  const stub = guardOf(user);
  await runInDurableObject(stub, async (_guard, ctx) => {
    // An entry gets a row of its own only while D1 fails.
    const spilled = { seq: 1_000_000, events: [] };
    new StoredOutbox(ctx.storage.sql).write({ inState: [], spilled, isErased: false });
    await new RetryAlarm(ctx, "test").run(async () => {
      throw new Error("The database does not answer");
    });
  });
  return await read(stub);
}

async function makeRefusalLog(): Promise<ObjectContent> {
  const tenant = await Tenant.create();
  const narrow = await tenant.tokenWith(["sentinel:read"]);
  await tenant.send("GET", "/v1/tokens", undefined, narrow);
  const log = refusalLogOf(tenant.id);
  const actor = { type: "api_token", id: "token" } as const;
  await log.countRead(tenant.id, { count: 1, at: Date.now(), actor, requestId: "request" });
  return await read(log);
}

async function makePrefixWatch(): Promise<ObjectContent> {
  const stub = env.PREFIXES.get(env.PREFIXES.idFromName(crypto.randomUUID()));
  for (const identityId of ["0123456789abcdef", "fedcba9876543210"]) {
    const call = { address: "00112233445566aa", identityId, now: Date.now() };
    await stub.count(call);
    await stub.store(call);
  }
  return await read(stub);
}

async function makeTenantWatch(): Promise<ObjectContent> {
  const stub = env.TENANT_WATCHES.get(env.TENANT_WATCHES.idFromName(crypto.randomUUID()));
  const at = Date.now();
  await stub.count({ identityId: "0123456789abcdef", networks: ["AS64500"], at });
  await stub.report({ id: "00112233445566aa", address: null, prefix: null, agent: null, at });
  return await read(stub);
}

async function makeTokenRegister(): Promise<ObjectContent> {
  const tenant = await Tenant.create();
  const { body } = await tenant.send("POST", "/v1/tokens", {
    token: { name: "revoked", permissions: ["idp:read"] },
  });
  await tenant.send("DELETE", `/v1/tokens/${body.token.id}`);
  return await read(registerOf(tenant));
}

async function makeExportRegister(): Promise<ObjectContent> {
  const stub = env.EXPORTS.get(env.EXPORTS.idFromName(crypto.randomUUID()));
  await stub.hold({ leaseId: "lease", tokenId: "token" });
  return await read(stub);
}

async function makePersonalKeys(): Promise<ObjectContent> {
  const stub = env.PERSONAL_KEYS.get(env.PERSONAL_KEYS.idFromName(crypto.randomUUID()));
  await stub.keyOf(20_000);
  return await read(stub);
}

async function makeGate(): Promise<ObjectContent> {
  const stub = env.GATE.get(env.GATE.idFromName(crypto.randomUUID()));
  const deliverer = { id: "object", tenantId: "tenant", failingSince: Date.now() };
  await stub.enter(deliverer);
  await stub.leave(deliverer, "moving");
  return await read(stub);
}

/** A state in which every field has a value. */
const followerState: FollowerState = {
  ...beginAt({ startLeaf: 0, startedAt: 0, updatedAt: 0 }),
  anchors: [{ leafIndex: 1, id: "event" }],
  disabling: { reason: "gone", at: 0 },
};

async function makeFollower(): Promise<ObjectContent> {
  const create = () => env.FOLLOWERS.get(env.FOLLOWERS.idFromName(crypto.randomUUID()));
  const [active, ended] = [create(), create()];
  await runInDurableObject(active, (_follower, ctx) => {
    const storage = new FollowerStorage(ctx.storage);
    storage.writeOwner({ tenantId: "tenant", id: "destination" });
    storage.writeState(followerState);
    storage.putWaiting({ leafIndex: 1, id: "event", attempts: 1, dueAt: 0 });
    storage.addAttempt({
      ...{ leafIndex: 1, eventId: "event", events: 1, at: 0, milliseconds: 1 },
      ...{ status: 200, error: null, nextAt: null },
    });
  });
  await ended.end();
  return unite([await read(active), await read(ended)]);
}

const makers: Readonly<Record<Binding, () => Promise<ObjectContent>>> = {
  GUARD: makeGuard,
  REFUSALS: makeRefusalLog,
  PREFIXES: makePrefixWatch,
  TENANT_WATCHES: makeTenantWatch,
  REGISTER: makeTokenRegister,
  EXPORTS: makeExportRegister,
  PERSONAL_KEYS: makePersonalKeys,
  GATE: makeGate,
  FOLLOWERS: makeFollower,
};

/** What an object of each class stores, by the binding of the class. */
export async function makeObjects(): Promise<ReadonlyMap<string, ObjectContent>> {
  const made = Object.entries(makers).map(
    async ([binding, make]) => [binding, await make()] as const,
  );
  return new Map(await Promise.all(made));
}
