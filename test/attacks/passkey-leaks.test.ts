/**
 * Passkeys: the canary. The tests run ceremonies that succeed, fail, are malformed and meet faults. Then they search
 * the log, the trail and all stores for what the browsers and authenticators have sent.
 */
import { base64urlnopad } from "@scure/base";
import { describe, expect, it } from "vitest";
import { captureLog } from "../support/captured-log.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { evict, replaceState } from "../support/guard.ts";
import { type Deviations, PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import type { AuthenticationAnswer, RegistrationAnswer } from "../support/passkey-json.ts";
import {
  finishLogin,
  finishRegistration,
  page,
  rpId,
  setUpPasskeys,
  startLogin,
  startRegistration,
} from "../support/passkeys.ts";
import { readRequestEvents } from "../support/request-events.ts";
import { copyStores, decodeText, spellingsOf } from "../support/stores.ts";

const log = captureLog();

/** A user with an authenticator, and a list of what their ceremonies have sent. */
class Canary {
  readonly authenticator = new PasskeyAuthenticator();
  /** What no store keeps. */
  readonly transient = new Set<string>();
  /** What only the state of the guard and its record have. */
  readonly credentials = new Set<string>();

  readonly tenant: Tenant;
  readonly user: User;

  constructor(tenant: Tenant, user: User) {
    this.tenant = tenant;
    this.user = user;
  }

  static async create(): Promise<Canary> {
    const tenant = await Tenant.create();
    await setUpPasskeys(tenant);
    return new Canary(tenant, await User.provision(tenant));
  }

  #add(known: Set<string>, ...values: readonly string[]): void {
    for (const value of values) {
      for (const spelling of spellingsOf(base64urlnopad.decode(value))) known.add(spelling);
    }
  }

  #addAnswer(challenge: string, { id, response }: RegistrationAnswer | AuthenticationAnswer): void {
    this.#add(this.credentials, id);
    const { clientDataJSON } = response;
    this.#add(this.transient, challenge, clientDataJSON);
    if ("signature" in response) {
      this.#add(this.transient, response.signature, response.authenticatorData);
    } else this.#add(this.transient, response.attestationObject);
  }

  async register(deviations: Deviations = {}): Promise<Answer> {
    const options = await startRegistration(this.user);
    const credential = await this.authenticator.create(options, page, deviations);
    this.#addAnswer(options.challenge, credential);
    const answer = await finishRegistration(this.user, options.challenge, credential);
    if (answer.status === 201) this.#add(this.credentials, answer.body.passkey.public_key);
    return answer;
  }

  async prepareLogin(user: User | undefined, deviations: Deviations = {}) {
    const { challenge } = await startLogin(this.tenant, user);
    const credential = await this.authenticator.get({ challenge, rpId }, page, deviations);
    this.#addAnswer(challenge, credential);
    return async (change: object = {}): Promise<Answer> =>
      await finishLogin(this.tenant, challenge, { ...credential, ...change }, user);
  }

  async logIn(user: User | undefined, deviations: Deviations = {}): Promise<Answer> {
    return await (await this.prepareLogin(user, deviations))();
  }

  /** Where what was sent shows. The expected result is empty. */
  async findSent(): Promise<string[]> {
    const { tenant, user } = this;
    await readRequestEvents({ tenant, user }, null);
    const exported = (await tenant.send("GET", "/v1/audit/export")).body;
    const shown = { log, trail: [JSON.stringify(await user.events()), String(exported)] };
    const sources = [
      ...Object.entries(shown).map(([name, texts]) => ({
        name,
        texts,
        sent: [...this.transient, ...this.credentials],
      })),
      ...Object.entries(await copyStores()).map(([name, texts]) => ({
        name,
        texts,
        sent: [...this.transient],
      })),
    ];
    return sources.flatMap(({ name, texts, sent }) => {
      const text = decodeText(texts);
      return sent.filter((value) => text.includes(value)).map((value) => `${name}: ${value}`);
    });
  }
}

describe("No log line, event or store shows a challenge or an answer, and no log line or event a credential", () => {
  it("when ceremonies succeed, fail and are malformed", async () => {
    const canary = await Canary.create();
    const { user, tenant } = canary;
    expect((await canary.register({ rpId: "example.com" })).status).toBe(422);
    expect((await canary.register()).status).toBe(201);
    const send = await canary.prepareLogin(user);
    const answers = [
      await send(),
      await send(),
      await send({ id: "AAAA" }),
      await send({ type: "x" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 400, 400]);
    expect((await canary.logIn(undefined)).status).toBe(200);
    for (const deviations of [
      { flags: { userPresent: false } },
      { signCount: 1 },
      { userHandle: "AAAAAAAAAAAAAAAA" },
      { credentialId: "AAAAAAAAAAAAAAAAAAAAAA" },
      { clientData: new TextEncoder().encode("no client data of a browser") },
    ]) {
      expect((await canary.logIn(undefined, deviations)).status).toBeOneOf([400, 422]);
    }
    await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    const refused = await canary.prepareLogin(undefined);
    for (let n = 0; n < 3; n += 1) expect((await refused()).status).toBe(403);
    expect(await canary.findSent()).toEqual([]);
  });

  it.each(["throws", "fails on write", "loses the reply"] as const)("when D1 %s", async (fault) => {
    const canary = await Canary.create();
    const { user } = canary;
    await canary.register();
    await withD1Fault(fault, async () => {
      await canary.logIn(user);
      await canary.register();
      await canary.logIn(undefined);
    });
    expect(log.length).toBeGreaterThan(0);
    expect(await canary.findSent()).toEqual([]);
  });

  it("when a guard's row is damaged", async () => {
    const canary = await Canary.create();
    const { user } = canary;
    await canary.register();
    const send = await canary.prepareLogin(user);
    await replaceState(user, "json_set(state, '$.passkeys.credentials[0].publicKey', '!')");
    await evict(user);
    expect((await send()).status).toBeOneOf([422, 503]);
    await replaceState(user, "json_set(state, '$.passkeys', 1)");
    await evict(user);
    expect((await send()).status).toBe(503);
    expect(log.join("\n")).toContain("guard_failed");
    expect(await canary.findSent()).toEqual([]);
  });

  it("but the search finds a planted challenge and credential", async () => {
    const canary = await Canary.create();
    await canary.register();
    const [challenge = ""] = canary.transient;
    const [credential = ""] = canary.credentials;
    log.push(challenge, `registered ${credential}`);
    expect(await canary.findSent()).toEqual([`log: ${challenge}`, `log: ${credential}`]);
  });
});
