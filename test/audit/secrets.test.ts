/**
 * One journey touches every route, and includes failures and faults. Each secret may appear only in the
 * one answer that shows it.
 */
import { listDurableObjectIds } from "cloudflare:test";
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
import { type Answer, type Call, send, Tenant } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { page, rpId } from "../support/passkeys.ts";
import { giveAttempt } from "../support/receiver.ts";
import { fireLogAlarm } from "../support/refusal-log.ts";
import { type RequestTarget, requestTo, unknownUser } from "../support/requests.ts";
import { copyStores, type StoresCopy } from "../support/stores.ts";
import { suspendSince } from "../support/tenant-deletion.ts";
import { countUndeliveredIn } from "../support/undelivered.ts";

const address = "198.51.100.7";
/** In another block. */
const otherAddress = "203.0.113.7";
const agent = "Canary/1.0 (a browser of alice)";
const unknownName = "unknown-user-name";

/** All text to search, by the store or output that contains it. */
type Texts = Readonly<Record<keyof StoresCopy | "answers" | "logs", string>>;

interface Secrets {
  /** They must appear nowhere, not even as a part. */
  readonly secrets: readonly string[];
  /** Six digits each. They must not appear outside a longer run of letters and digits. */
  readonly codes: readonly string[];
}

/** The fields that an answer shows once, by route. Only these fields are exempt. */
const shownOnce: Readonly<Record<string, readonly string[]>> = {
  createTenant: ["secret"],
  createToken: ["secret"],
  createTenantToken: ["secret"],
  rotateToken: ["secret"],
  createWebhook: ["secret"],
  rotateWebhookSecret: ["secret"],
  configureOtp: ["new_otp_secret", "qrcode_payload", "qrcode_svg"],
  addAuthenticator: ["new_otp_secret", "qrcode_payload"],
  regenerateBackupCodes: ["backupCodes"],
  exportUsers: ["secret", "uri"],
  verifyOtp: ["token"],
  verifyPasskey: ["token"],
};

let texts: Texts;
let known: Secrets;
const trail = { listed: "", exported: "" };
const succeeded = new Set<string>();
const failedRoutes = new Set<string>();

/** Lists the service's own secrets in each form that might appear: whole, as single keys, and as bytes. */
function listEnvironmentSecrets(): string[] {
  const { OPERATOR_TOKEN, ADDRESS_HASH_KEY } = env;
  const rings = [
    ...[env.SEALING_KEYS, env.BACKUP_CODE_KEYS, env.AUDIT_SIGNING_KEYS],
    ...(env.TOKEN_SIGNING_KEYS ?? "").split(","),
  ];
  const keys = [ADDRESS_HASH_KEY, ...rings.map((ring) => ring.slice(ring.indexOf(":") + 1))];
  const spelled = keys.flatMap((key) => [key, hex.encode(base64.decode(key)), atob(key)]);
  return [OPERATOR_TOKEN, ...rings, ...spelled];
}

/** Sends every request once, valid and invalid, and collects all secrets. */
async function runJourney(answers: string[]): Promise<Secrets> {
  const secrets = listEnvironmentSecrets();
  const codes: string[] = [];

  const ask = async (
    name: string,
    target: RequestTarget,
    call: Call,
    path?: string,
  ): Promise<Answer> => {
    const found = apiRoutes.find(({ definition }) => definition.name === name);
    if (found === undefined) throw new Error(`No route is named ${name}`);
    const request =
      name in publicPaths ? { path: publicPaths[name] ?? "" } : requestTo(name, target);
    const answer = await send(found.definition.method.toUpperCase(), path ?? request.path, {
      ...("body" in request ? { body: request.body } : {}),
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

  const created = (await ask("createTenant", unknownUser, { token: env.OPERATOR_TOKEN })).body;
  const tenantId: string = created.tenant.id;
  const token: string = created.token.secret;
  const collectToken = (issued: string) =>
    void secrets.push(issued, issued.slice("idp_test_".length));
  collectToken(token);
  const asTenant = { token };
  await ask("createTenant", unknownUser, asTenant);

  const spare = (await ask("createToken", unknownUser, asTenant)).body.token;
  const narrow = (await ask("createToken", unknownUser, asTenant)).body.token;
  collectToken(spare.secret);
  collectToken(narrow.secret);
  const externalId = "alice@example.com";
  const provision = { user: { external_id: externalId } };
  const { user } = (await ask("provisionUser", unknownUser, { ...asTenant, body: provision })).body;
  const target: RequestTarget = {
    tenantId,
    externalId,
    id: user.id,
    tokenId: spare.id,
    eventId: "",
    assessmentId: "",
    passkeyId: "",
    authenticatorId: "",
    deviceId: "",
    webhookId: "",
    streamId: "",
  };
  await ask("provisionUser", unknownUser, { ...asTenant, body: provision });

  const collectSecret = (secret: string) => {
    const bytes = base32nopad.decode(secret);
    secrets.push(secret, hex.encode(bytes), base64.encode(bytes));
    return secret;
  };
  const configure = async () => {
    const path = `${requestTo("configureOtp", target).path}&qr=svg`;
    return collectSecret(
      (await ask("configureOtp", target, asTenant, path)).body.user.new_otp_secret,
    );
  };
  const useAuthenticator = async () => {
    const { authenticator } = (await ask("addAuthenticator", target, asTenant)).body;
    const shown = codeFor(collectSecret(authenticator.new_otp_secret), Date.now());
    codes.push(shown);
    await verify(shown);
    for (const name of ["listAuthenticators", "renameAuthenticator", "removeAuthenticator"]) {
      await ask(name, { ...target, authenticatorId: authenticator.id }, asTenant);
      await ask(name, target, asTenant);
    }
  };
  const useWebhook = async () => {
    const collect = (shown: string) => {
      const base = shown.slice("whsec_".length);
      secrets.push(shown, base, hex.encode(base64.decode(base)));
    };
    const about = { ...target, ...(await giveAttempt({ id: tenantId, token }, collect)) };
    const webhook = { url: "https://hooks.example.com/idp", events: ["*"] };
    collect(
      (await ask("createWebhook", about, { ...asTenant, body: { webhook } })).body.webhook.secret,
    );
    await ask("createWebhook", about, {
      ...asTenant,
      body: { webhook: { ...webhook, events: [] } },
    });
    collect((await ask("rotateWebhookSecret", about, asTenant)).body.webhook.secret);
    for (const name of [
      ...["listWebhooks", "getWebhook", "changeWebhook", "testWebhook", "replayWebhook"],
      ...["listWebhookAttempts", "replayWebhookEvent", "removeWebhook"],
    ]) {
      await ask(name, about, asTenant);
    }
  };
  /** A credential of a stream is sent, and never shown. */
  const useStream = async () => {
    const secret = "credential-of-a-stream-0123456789";
    secrets.push(secret, btoa(secret));
    const url = "https://siem.example.com/idp";
    const stream = { type: "http", url, headers: { "X-Key": secret } };
    const call = { ...asTenant, body: { stream } };
    const { id: streamId } = (await ask("createStream", target, call)).body.stream;
    const about = { ...target, streamId };
    await ask("createStream", about, {
      ...asTenant,
      body: { stream: { ...stream, token: secret } },
    });
    const change = { stream: { headers: { "X-Other-Key": secret } } };
    await ask("changeStream", about, { ...asTenant, body: change });
    for (const name of [
      ...["listStreams", "getStream", "testStream", "replayStream", "listStreamAttempts"],
      "removeStream",
    ]) {
      await ask(name, about, asTenant);
    }
  };
  /** What is imported is shown by no answer but that of the export. */
  const importSecrets = async () => {
    const imported = collectSecret("MNQW4YLSPEQG6ZRAMFXCA2LNOBXXE5BA");
    const [clear, hashed] = ["QWERTZUIOP77", "asdfghjkl999"];
    const digest = new Uint8Array(
      await crypto.subtle.digest("SHA-512", new TextEncoder().encode(hashed)),
    );
    const hash = base64.encode(digest);
    secrets.push(clear, hashed, hash, hex.encode(digest));
    const send = async (users: readonly object[], options: object = {}) =>
      await ask("importUsers", target, { ...asTenant, body: { users, ...options } });
    const uri = `otpauth://totp/Acme:alexander?secret=${imported}&issuer=Acme`;
    const factors = { authenticators: [{ uri }], backup_codes: [clear] };
    const hashes = { backup_codes: { scheme: "sha512", hashes: [hash] } };
    const users = [
      { external_id: "imported", ...factors },
      { external_id: "hashed", ...hashes },
      { external_id: "failed", authenticators: [{ secret: `${imported}!` }] },
      { external_id: "failed too", authenticators: [{ uri: uri.replace("totp", "hotp") }] },
      { external_id: "failed as well", backup_codes: [`${clear}?`] },
    ];
    await send(users, { dry_run: true });
    await send(users);
    await send(users, { on_existing: "add" });
    // Requests that are refused as a whole.
    await send([]);
    await send([{ external_id: 1, authenticators: [{ secret: imported }], backup_codes: clear }]);
    await withD1Fault("throws", async () => void (await send(users)));
    for (const [id, code] of [
      ["imported", clear],
      ["hashed", hashed],
    ]) {
      await ask("verifyOtp", target, { ...asTenant, body: { otp: { id, code } } });
    }
    const code = codeFor(imported, Date.now());
    codes.push(code);
    await ask("verifyOtp", target, { ...asTenant, body: { otp: { id: "imported", code } } });
    await ask("exportUsers", target, asTenant);
    const settings = { export: { secrets: true } };
    await ask("changeSettings", target, { ...asTenant, body: { settings } });
    const permitted = { name: "exporting", permissions: ["idp:export"] };
    const exporting = (
      await ask("createToken", target, { ...asTenant, body: { token: permitted } })
    ).body.token;
    collectToken(exporting.secret);
    await ask("exportUsers", target, { token: exporting.secret });
  };
  const verify = async (code: string, call: Call = asTenant) => {
    const otp = { id: externalId, code, token: { audience: "https://api.example.com" } };
    const { body } = await ask("verifyOtp", target, { ...call, body: { otp } });
    if (body.token !== undefined) secrets.push(body.token, ...body.token.split(".").slice(1));
  };
  const replaced = await configure();
  codes.push(codeFor(replaced, Date.now()));
  await verify(codeFor(replaced, Date.now()));
  const secret = await configure();
  const right = codeFor(secret, Date.now());
  codes.push(right, codeFor(secret, Date.now() + 600_000));
  await verify(right);
  await verify(right);
  await verify(codeFor(secret, Date.now() + 600_000));
  const backup = (await ask("regenerateBackupCodes", target, asTenant)).body.user.backupCodes;
  for (const code of backup) secrets.push(code, code.replace("-", ""));
  await verify(backup[0], { ...asTenant, headers: { "Idempotency-Key": "login" } });
  await verify(backup[0]);
  const remember = { id: externalId, code: backup[1], remember_device: { days: 30 } };
  const { device } = (await ask("verifyOtp", target, { ...asTenant, body: { otp: remember } }))
    .body;
  secrets.push(device.token, device.token.slice("dvc_".length));
  await ask("listDevices", target, asTenant);
  await ask("removeDevice", { ...target, deviceId: device.id }, asTenant);
  await ask("removeDevices", target, asTenant);
  await verify(`${right}7`);
  await verify(` ${right}`);
  await withD1Fault("throws", async () => {
    await verify(right, asTenant);
    await verify(right, { token: spare.secret });
    await ask("provisionUser", unknownUser, {
      ...asTenant,
      body: { user: { external_id: "in vain" } },
    });
  });
  await send("GET", `/v1/idp/users?access_token=${token}`).then(({ body }) =>
    answers.push(JSON.stringify(body)),
  );
  await ask("getUser", target, { headers: { Authorization: `Basic ${token}` } });
  await ask("verifyOtp", target, { ...asTenant, body: `{"otp":{"code":"${right}"` });

  const session = { sentinel: { id: user.id, context: { ip: address, ua: agent } } };
  const { assessment_id: assessmentId } = (
    await ask("discover", target, { ...asTenant, body: session })
  ).body;
  // A prefix watch has more than an alarm once two users were tried from its block.
  const second = {
    ...unknownUser,
    ...(
      await ask("provisionUser", unknownUser, {
        ...asTenant,
        body: { user: { external_id: "second" } },
      })
    ).body.user,
  };
  const secondSession = { sentinel: { id: second.id, context: { ip: address, ua: agent } } };
  await ask("discover", second, { ...asTenant, body: secondSession });
  await ask("judgeSession", { ...target, assessmentId }, asTenant);
  await ask("importSessions", target, asTenant);
  await importSecrets();
  await ask("listAssessments", target, asTenant);
  await ask("simulatePolicy", target, asTenant);
  await ask("listFeeds", target, asTenant);
  await ask("getStatistics", target, asTenant);
  await ask("setUserStatus", target, asTenant);
  const otherSession = { sentinel: { id: user.id, context: { ip: otherAddress, ua: agent } } };
  await ask("discover", target, { ...asTenant, body: otherSession });
  await verify(right);
  await ask("setUserStatus", target, { ...asTenant, body: { user: { status: "active" } } });
  await ask("unlockUser", target, asTenant);
  const passkeys = { rp_id: rpId, origins: [page.origin] };
  await ask("changeSettings", target, { ...asTenant, body: { settings: { passkeys } } });
  const authenticator = new PasskeyAuthenticator();
  const creation = (await ask("createPasskeyRegistrationOptions", target, asTenant)).body.passkey
    .public_key;
  const answer = await authenticator.create(creation, page);
  const registration = { passkey: { challenge: creation.challenge, credential: answer } };
  const { id: passkeyId } = (
    await ask("registerPasskey", target, { ...asTenant, body: registration })
  ).body.passkey;
  await ask("registerPasskey", target, { ...asTenant, body: registration });
  const login = (await ask("createPasskeyAuthenticationOptions", target, asTenant)).body.passkey
    .public_key;
  const credential = await authenticator.get(login, page);
  const attempt = { passkey: { challenge: login.challenge, credential, id: externalId } };
  const stepUp = { token: { audience: "https://api.example.com" } };
  const proved = { passkey: { ...attempt.passkey, ...stepUp } };
  const { body: loggedIn } = await ask("verifyPasskey", target, { ...asTenant, body: proved });
  secrets.push(loggedIn.token, ...loggedIn.token.split(".").slice(1));
  await ask("verifyPasskey", target, { ...asTenant, body: attempt });
  await ask("renamePasskey", { ...target, passkeyId }, asTenant);
  await ask("listPasskeys", target, asTenant);
  await ask("removePasskey", { ...target, passkeyId }, asTenant);
  await ask("getUser", target, asTenant);
  await ask("listUsers", target, asTenant);
  await useAuthenticator();
  await ask("removeOtp", target, asTenant);
  await ask("removeOtp", target, asTenant);
  const another = { ...target, externalId: "another@example.com" };
  const leaver = { user: { external_id: another.externalId } };
  await ask("provisionUser", unknownUser, { ...asTenant, body: leaver });
  await ask("eraseUser", another, asTenant);
  collectToken((await ask("rotateToken", target, asTenant)).body.token.secret);
  await ask("revokeToken", target, asTenant);
  await ask("listUsers", target, { token: spare.secret });
  const asOperator = { token: env.OPERATOR_TOKEN };
  for (const name of [
    ...["getUsage", "rebuildStatistics", "listKeys", "listServiceFeeds", "reEncrypt"],
    ...["getHealth", "findRequest"],
    ...["relocateTenant", "deleteTenant"],
  ]) {
    await ask(name, target, asOperator);
    await ask(name, target, asTenant);
  }
  const doomed = await Tenant.create();
  await suspendSince(doomed, 60_000);
  await ask("deleteTenant", { ...target, tenantId: doomed.id }, asOperator);
  for (const name of ["listTenants", "getTenant", "changeTenant", "listTenantTokens"]) {
    await ask(name, target, asOperator);
    await ask(name, target, asTenant);
  }
  const issued = (await ask("createTenantToken", target, asOperator)).body.token;
  collectToken(issued.secret);
  await ask("revokeTenantToken", { ...target, tokenId: issued.id }, asOperator);
  await ask("provisionUser", unknownUser, { ...asTenant, body: leaver });
  await ask("eraseTenantUser", another, asOperator);
  await ask("changeSettings", target, asTenant);
  await ask("getSettings", target, asTenant);
  await ask("getOwnToken", target, asTenant);
  await ask("listTokens", target, asTenant);

  // Each route once more: for an unknown user, with a revoked token, and with a damaged one.
  const unknown = { ...unknownUser, externalId: unknownName };
  for (const { definition } of apiRoutes) {
    const { name, access } = definition;
    if (access.kind === "public") continue;
    if (requestTo(name, unknown).hasTarget) await ask(name, unknown, asTenant);
    await ask(name, unknown, { token: spare.secret });
    await ask(name, unknown, { token: `${narrow.secret.slice(0, -1)}_` });
  }
  await ask("createToken", target, { token: narrow.secret });

  for (const name of Object.keys(publicPaths)) await ask(name, unknownUser, {});
  await waitForOutboxes(tenantId);
  await useWebhook();
  await useStream();
  await ask("getCheckpoint", target, asTenant);
  const query = `externalUserId=${encodeURIComponent(target.externalId)}&limit=100`;
  const listed = (await ask("listAuditEvents", target, asTenant, `/v1/audit/events?${query}`)).body;
  const { body: exported } = await ask("exportAudit", target, asTenant);
  // The sessions of the user are on the second page.
  const older = `/v1/audit/events?limit=100&after=${listed.next_after}`;
  const { body: earlier } = await ask("listAuditEvents", target, asTenant, older);
  trail.listed = JSON.stringify([listed, earlier]);
  trail.exported = exported;
  await ask("proveAuditEvent", { ...target, eventId: listed.events.at(-1).id }, asTenant);
  const requestPath = `/v1/requests/${listed.events.at(-1).request_id}`;
  await ask("findRequest", target, { token: env.OPERATOR_TOKEN }, requestPath);
  await ask("proveAuditConsistency", target, asTenant);
  await integrateLogs(env, Date.now());
  await witnessHeads(env, Date.now());
  await ask("listCheckpoints", target, asTenant);
  return { secrets, codes };
}

/** The paths of the public routes. */
const publicPaths: Readonly<Record<string, string>> = {
  listAuditKeys: "/v1/audit/keys",
  listStepUpKeys: "/.well-known/jwks.json",
  liveness: "/healthz",
  readiness: "/readyz",
};

/** Waits until the outboxes of all guards and refusal logs are empty. */
async function waitForOutboxes(tenantId: string): Promise<void> {
  await fireLogAlarm(tenantId);
  await vi.waitFor(
    async () => {
      const texts = await Promise.all([countWaiting(env.GUARD), countWaiting(env.REFUSALS)]);
      if (texts[0] + texts[1] > 0) throw new Error("An outbox is not empty");
    },
    { timeout: 20_000, interval: 200 },
  );
}

async function countWaiting<T extends IdentityGuard | RefusalLog>(
  namespace: DurableObjectNamespace<T>,
): Promise<number> {
  let waiting = 0;
  for (const id of await listDurableObjectIds(namespace)) {
    waiting += await countUndeliveredIn(namespace.get(id));
  }
  return waiting;
}

beforeAll(async () => {
  const lines: string[] = [];
  const answers: string[] = [];
  const spies = (["log", "info", "warn", "error", "debug"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((...line) => void lines.push(JSON.stringify(line))),
  );
  known = await runJourney(answers);
  const live = await copyStores();
  await archiveLogs(env, Date.now() + 401 * 24 * 60 * 60 * 1000, findRetentionDays);
  const { archive } = await copyStores();
  for (const spy of spies) spy.mockRestore();
  const joinLines = (values: readonly string[]) => values.join("\n");
  texts = {
    answers: joinLines(answers),
    logs: joinLines(lines),
    database: joinLines(live.database),
    kv: joinLines(live.kv),
    archive: joinLines(archive),
    guards: joinLines(live.guards),
    refusalLogs: joinLines(live.refusalLogs),
    watches: joinLines(live.watches),
    registers: joinLines(live.registers),
    followers: joinLines(live.followers),
    dayKeys: joinLines(live.dayKeys),
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
  "followers",
  "dayKeys",
] as const;

describe("The journey", () => {
  it("touches every route, and makes each protected route fail as well", () => {
    const all = apiRoutes.map(({ definition }) => definition);
    expect([...succeeded].toSorted()).toEqual(all.map(({ name }) => name).toSorted());
    const protectedRoutes = all.filter(({ access }) => access.kind !== "public");
    expect([...failedRoutes].toSorted()).toEqual(
      protectedRoutes.map(({ name }) => name).toSorted(),
    );
  });

  it("leaves text to search in every store and output", () => {
    // The shortest is that of one day key.
    for (const name of names) expect(texts[name].length, name).toBeGreaterThan(30);
    expect(texts.logs).toContain("guard_failed");
    expect(texts.database).toContain("request.refused");
    expect(known.codes.every((code) => /^\d{6}$/.test(code))).toBe(true);
    expect(known.secrets.length).toBeGreaterThan(40);
  });
});

describe.each(names)("In the %s", (name) => {
  it("no secret of the service, a tenant or a user appears", () => {
    // A comparison of the whole text would print it on failure.
    const found = known.secrets.filter((secret) => texts[name].includes(secret));
    expect(found).toEqual([]);
  });

  it("no code appears on its own", () => {
    const found = known.codes.filter((code) =>
      new RegExp(`(?<![0-9a-z])${code}(?![0-9a-z])`, "i").test(texts[name]),
    );
    expect(found).toEqual([]);
  });

  if (name !== "answers") {
    it("the address and agent of a session do not appear in plaintext", () => {
      expect(texts[name]).not.toContain(address);
      expect(texts[name]).not.toContain(otherAddress);
      expect(texts[name]).not.toContain("Canary/1.0");
    });
  }

  it("the requested name of an unknown user does not appear", () => {
    expect(texts[name]).not.toContain(unknownName);
  });
});

it("The trail shows the address and agent of a session to its readers", () => {
  for (const text of [trail.listed, trail.exported]) {
    expect(text).toContain(`"address":"${address}"`);
    expect(text).toContain(`"agent":"${agent}"`);
  }
});
