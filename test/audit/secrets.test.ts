/**
 * The canary: over a journey that touches every route, failures and faults among them, no secret
 * shows anywhere but in the one answer that is there to show it.
 */
import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { base32nopad, base64, hex } from "@scure/base";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import type { IdentityGuard } from "../../src/guard/identity-guard.ts";
import type { RefusalLog } from "../../src/guard/refusal-log/refusal-log.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { codeFor } from "../support/authenticator.ts";
import { type Answer, type Call, send } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { fireLogAlarm } from "../support/refusal-log.ts";
import { type RequestTarget, requestTo, unknownUser } from "../support/requests.ts";
import { copyStores, type StoresCopy } from "../support/stores.ts";

const address = "198.51.100.7";
const agent = "Canary/1.0 (a browser of somebody)";
const ghost = "nobody-is-called-this";

/** Everything there is to search, by where it was found. */
type Places = Readonly<Record<keyof StoresCopy | "answers" | "logs", string>>;

interface Known {
  /** Found nowhere as part of anything. */
  readonly secrets: readonly string[];
  /** Six digits each: found nowhere as words of their own. */
  readonly codes: readonly string[];
}

/** What one answer shows once, by route: the field, and nothing else of the answer, is exempt. */
const shownOnce: Readonly<Record<string, readonly string[]>> = {
  createTenant: ["secret"],
  createToken: ["secret"],
  rotateToken: ["secret"],
  configureOtp: ["new_otp_secret", "qrcode_payload", "qrcode_svg"],
  regenerateBackupCodes: ["backupCodes"],
};

let places: Places;
let known: Known;
const trail = { listed: "", exported: "" };
const succeeded = new Set<string>();
const failedRoutes = new Set<string>();

type Kept = IdentityGuard | RefusalLog;

/** The forms in which the service's own secrets might show: whole, each key, and its bytes. */
function environmentSecrets(): string[] {
  const { OPERATOR_TOKEN, ADDRESS_HASH_KEY } = env;
  const rings = [env.SEALING_KEYS, env.BACKUP_CODE_KEYS, env.AUDIT_SIGNING_KEYS];
  const keys = [ADDRESS_HASH_KEY, ...rings.map((ring) => ring.slice(ring.indexOf(":") + 1))];
  const spelled = keys.flatMap((key) => [key, hex.encode(base64.decode(key)), atob(key)]);
  return [OPERATOR_TOKEN, ...rings, ...spelled];
}

/** Does everything once, right and wrong, and remembers all that is secret. */
async function journey(answers: string[]): Promise<Known> {
  const secrets = environmentSecrets();
  const codes: string[] = [];

  const ask = async (
    name: string,
    about: RequestTarget,
    call: Call,
    path?: string,
  ): Promise<Answer> => {
    const found = apiRoutes.find(({ definition }) => definition.name === name);
    if (found === undefined) throw new Error(`There is no route ${name}`);
    const usual = name in openPaths ? { path: openPaths[name] ?? "" } : requestTo(name, about);
    const answer = await send(found.definition.method.toUpperCase(), path ?? usual.path, {
      ...("body" in usual ? { body: usual.body } : {}),
      ...call,
    });
    const isSuccess = answer.status < 300;
    (isSuccess ? succeeded : failedRoutes).add(name);
    const exempt = isSuccess ? (shownOnce[name] ?? []) : [];
    answers.push(
      JSON.stringify([answer.body, [...answer.headers]], (key, value) =>
        exempt.includes(key) ? "shown once" : value,
      ),
    );
    return answer;
  };

  const made = (await ask("createTenant", unknownUser, { token: env.OPERATOR_TOKEN })).body;
  const tenantId: string = made.tenant.id;
  const token: string = made.token.secret;
  const inMind = (issued: string) => void secrets.push(issued, issued.slice("idp_test_".length));
  inMind(token);
  const mine = { token };
  await ask("createTenant", unknownUser, mine);

  const spare = (await ask("createToken", unknownUser, mine)).body.token;
  const narrow = (await ask("createToken", unknownUser, mine)).body.token;
  inMind(spare.secret);
  inMind(narrow.secret);
  const externalId = "somebody@example.com";
  const provision = { user: { external_id: externalId } };
  const { user } = (await ask("provisionUser", unknownUser, { ...mine, body: provision })).body;
  const about: RequestTarget = {
    tenantId,
    externalId,
    id: user.id,
    tokenId: spare.id,
    eventId: "",
    assessmentId: "",
  };
  await ask("provisionUser", unknownUser, { ...mine, body: provision });

  const configure = async () => {
    const path = `${requestTo("configureOtp", about).path}&qr=svg`;
    const secret: string = (await ask("configureOtp", about, mine, path)).body.user.new_otp_secret;
    const bytes = base32nopad.decode(secret);
    secrets.push(secret, hex.encode(bytes), base64.encode(bytes));
    return secret;
  };
  const verify = async (code: string, call: Call = mine) =>
    await ask("verifyOtp", about, { ...call, body: { otp: { id: externalId, code } } });
  const replaced = await configure();
  codes.push(codeFor(replaced, Date.now()));
  await verify(codeFor(replaced, Date.now()));
  const secret = await configure();
  const right = codeFor(secret, Date.now());
  codes.push(right, codeFor(secret, Date.now() + 600_000));
  await verify(right);
  await verify(right);
  await verify(codeFor(secret, Date.now() + 600_000));
  const backup = (await ask("regenerateBackupCodes", about, mine)).body.user.backupCodes;
  for (const code of backup) secrets.push(code, code.replace("-", ""));
  await verify(backup[0], { ...mine, headers: { "Idempotency-Key": "login" } });
  await verify(backup[0]);
  await verify(`${right}7`);
  await verify(` ${right}`);
  await withD1Fault("throws", async () => {
    await verify(right, mine);
    await verify(right, { token: spare.secret });
    await ask("provisionUser", unknownUser, {
      ...mine,
      body: { user: { external_id: "in vain" } },
    });
  });
  await send("GET", `/v1/idp/users?access_token=${token}`).then(({ body }) =>
    answers.push(JSON.stringify(body)),
  );
  await ask("getUser", about, { headers: { Authorization: `Basic ${token}` } });
  await ask("verifyOtp", about, { ...mine, body: `{"otp":{"code":"${right}"` });

  const session = { sentinel: { id: user.id, context: { ip: address, ua: agent } } };
  const { assessment_id: assessmentId } = (await ask("discover", about, { ...mine, body: session }))
    .body;
  await ask("judgeSession", { ...about, assessmentId }, mine);
  await ask("listAssessments", about, mine);
  await ask("simulatePolicy", about, mine);
  await ask("listFeeds", about, mine);
  await ask("setUserStatus", about, mine);
  await ask("discover", about, { ...mine, body: session });
  await verify(right);
  await ask("setUserStatus", about, { ...mine, body: { user: { status: "active" } } });
  await ask("unlockUser", about, mine);
  await ask("getUser", about, mine);
  await ask("listUsers", about, mine);
  await ask("removeOtp", about, mine);
  await ask("removeOtp", about, mine);
  const another = { ...about, externalId: "another@example.com" };
  const leaver = { user: { external_id: another.externalId } };
  await ask("provisionUser", unknownUser, { ...mine, body: leaver });
  await ask("eraseUser", another, mine);
  inMind((await ask("rotateToken", about, mine)).body.token.secret);
  await ask("revokeToken", about, mine);
  await ask("listUsers", about, { token: spare.secret });
  const operators = { token: env.OPERATOR_TOKEN };
  for (const name of ["listKeys", "reEncrypt", "relocateTenant"]) {
    await ask(name, about, operators);
    await ask(name, about, mine);
  }
  await ask("changeSettings", about, mine);
  await ask("getSettings", about, mine);
  await ask("listTokens", about, mine);

  // Each route once more: for nobody, with a token that was revoked, and with one that lacks most.
  const gone = { ...unknownUser, externalId: ghost };
  for (const { definition } of apiRoutes) {
    const { name, access } = definition;
    if (access.kind === "public") continue;
    if (requestTo(name, gone).hasTarget) await ask(name, gone, mine);
    await ask(name, gone, { token: spare.secret });
    await ask(name, gone, { token: `${narrow.secret.slice(0, -1)}_` });
  }
  await ask("createToken", about, { token: narrow.secret });

  for (const name of Object.keys(openPaths)) await ask(name, unknownUser, {});
  await settled(tenantId);
  await ask("getCheckpoint", about, mine);
  const listed = (await ask("listAuditEvents", about, mine, "/v1/audit/events?limit=100")).body;
  const { body: exported } = await ask("exportAudit", about, mine);
  trail.listed = JSON.stringify(listed);
  trail.exported = exported;
  await ask("proveAuditEvent", { ...about, eventId: listed.events.at(-1).id }, mine);
  await ask("proveAuditConsistency", about, mine);
  await integrateLogs(env, Date.now());
  await witnessHeads(env, Date.now());
  await ask("listCheckpoints", about, mine);
  return { secrets, codes };
}

/** What anybody may ask for. */
const openPaths: Readonly<Record<string, string>> = {
  listAuditKeys: "/v1/audit/keys",
  liveness: "/healthz",
  readiness: "/readyz",
};

/** Until guards and logs hold nothing that D1 has not. */
async function settled(tenantId: string): Promise<void> {
  await fireLogAlarm(tenantId);
  await vi.waitFor(
    async () => {
      const texts = await Promise.all([waitingIn(env.GUARD), waitingIn(env.REFUSALS)]);
      if (texts[0] + texts[1] > 0) throw new Error("Something waits");
    },
    { timeout: 20_000, interval: 200 },
  );
}

async function waitingIn<T extends Kept>(namespace: DurableObjectNamespace<T>): Promise<number> {
  let waiting = 0;
  for (const id of await listDurableObjectIds(namespace)) {
    waiting += await runInDurableObject(namespace.get(id), (_, { storage: { sql } }) =>
      sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").toArray().length === 0
        ? 0
        : sql.exec<{ n: number }>("SELECT count(*) AS n FROM outbox").one().n,
    );
  }
  return waiting;
}

beforeAll(async () => {
  const lines: string[] = [];
  const answers: string[] = [];
  const spies = (["log", "info", "warn", "error", "debug"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((...line) => void lines.push(JSON.stringify(line))),
  );
  known = await journey(answers);
  const live = await copyStores();
  await archiveLogs(env, Date.now() + 401 * 24 * 60 * 60 * 1000, findRetentionDays);
  const { archive } = await copyStores();
  for (const spy of spies) spy.mockRestore();
  const joined = (values: readonly string[]) => values.join("\n");
  places = {
    answers: joined(answers),
    logs: joined(lines),
    database: joined(live.database),
    kv: joined(live.kv),
    archive: joined(archive),
    guards: joined(live.guards),
    refusalLogs: joined(live.refusalLogs),
    watches: joined(live.watches),
    registers: joined(live.registers),
  };
});

const names = [
  "answers",
  "logs",
  "database",
  "kv",
  "archive",
  "guards",
  "refusalLogs",
  "watches",
  "registers",
] as const;

describe("The journey", () => {
  it("touches every route, and every one that can fail fails as well", () => {
    const all = apiRoutes.map(({ definition }) => definition);
    expect([...succeeded].toSorted()).toEqual(all.map(({ name }) => name).toSorted());
    const guarded = all.filter(({ access }) => access.kind !== "public");
    expect([...failedRoutes].toSorted()).toEqual(guarded.map(({ name }) => name).toSorted());
  });

  it("leaves something to search in every place", () => {
    for (const name of names) expect(places[name].length, name).toBeGreaterThan(50);
    expect(places.logs).toContain("guard_failed");
    expect(places.database).toContain("request.refused");
    expect(known.codes.every((code) => /^\d{6}$/.test(code))).toBe(true);
    expect(known.secrets.length).toBeGreaterThan(40);
  });
});

describe.each(names)("In the %s", (name) => {
  it("no secret of the service, of a tenant or of a user shows", () => {
    // A message with the text would print it.
    const found = known.secrets.filter((secret) => places[name].includes(secret));
    expect(found).toEqual([]);
  });

  it("no code shows as a word of its own", () => {
    const found = known.codes.filter((code) =>
      new RegExp(`(?<![0-9a-z])${code}(?![0-9a-z])`, "i").test(places[name]),
    );
    expect(found).toEqual([]);
  });

  if (name !== "answers") {
    it("address and agent of a session do not show in the clear", () => {
      expect(places[name]).not.toContain(address);
      expect(places[name]).not.toContain("Canary/1.0");
    });
  }

  it("a name that was asked for and is nobody's does not show", () => {
    expect(places[name]).not.toContain(ghost);
  });
});

it("Address and agent of a session are in the trail for who may read it", () => {
  for (const text of [trail.listed, trail.exported]) {
    expect(text).toContain(`"address":"${address}"`);
    expect(text).toContain(`"agent":"${agent}"`);
  }
});
