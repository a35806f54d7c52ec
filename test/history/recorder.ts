/** Runs a schedule on its own identity, and records the time of each call and each answer. */
import { runInDurableObject } from "cloudflare:test";
import { codeFor } from "../support/authenticator.ts";
import { type Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict, guardOf, loseStorage } from "../support/guard.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { page, registerPasskey } from "../support/passkeys.ts";
import { unknownUser } from "../support/requests.ts";
import type { History, Recorded } from "./checker.ts";
import { first, type Operation } from "./model.ts";
import type { Act, Schedule, Step, Wave } from "./schedule.ts";
import { answerOf, type ClientRequest, countTrail, sendAt } from "./service.ts";

const stepMs = 30_000;
/** The time at which every history begins. */
export const begin = Date.UTC(2030, 0, 1);
const wrongBackupCode = "ZZZZ-0000";

/** A value and the call that created it. */
interface Created<T> {
  readonly by: number;
  readonly value: T;
}

/** A call as it was sent. Its operation is known only at the end, when all secrets are known. */
type SentCall = Omit<Recorded, "operation"> & {
  readonly act: Act["kind"] | "rehydrate";
  readonly code: string;
  readonly prepared: PreparedAnswer | undefined;
  /** The call that added the secret to remove. */
  readonly target: number | undefined;
};

/** An answer of the passkey. Its challenge has the number of the answer. */
interface PreparedAnswer {
  readonly challenge: number;
  readonly issuedAt: number;
  readonly body: { readonly passkey: object };
}

/** What an act chose from what the client knows. */
interface Chosen {
  readonly code: string;
  readonly prepared?: PreparedAnswer | undefined;
  readonly target?: number | undefined;
  /** What a code or passkey says of its device. */
  readonly device?: object;
}

class Recorder {
  readonly #tenant: Tenant;
  readonly #user: User;
  readonly #secrets: Created<string>[] = [];
  /** The ids of the added ones. */
  readonly #authenticators: Created<string>[] = [];
  readonly #sets: Created<readonly string[]>[] = [];
  readonly #deviceTokens: Created<string>[] = [];
  readonly #codes: string[] = [];
  /** Without a counter, which would refuse older answers. */
  readonly #authenticator = new PasskeyAuthenticator({ synced: true });
  /** One for each wave. */
  readonly #prepared: PreparedAnswer[] = [];
  #challenges = 0;
  readonly #calls: SentCall[] = [];
  readonly #abandoned: Promise<void>[] = [];
  #tick = 0;
  #at = begin;
  /** The number of crashes of the guard, and of calls answered with 503. */
  crashes = 0;
  unavailable = 0;

  constructor(tenant: Tenant, user: User) {
    this.#tenant = tenant;
    this.#user = user;
  }

  /** Provisions and configures a user with a passkey and backup codes, as in the initial state of the model. */
  static async create(tenant: Tenant): Promise<Recorder> {
    const user = await User.provision(tenant);
    const recorder = new Recorder(tenant, user);
    await registerPasskey(user, recorder.#authenticator);
    await recorder.#send("configure", first);
    await recorder.#send("regenerate", first);
    await recorder.#call("the test", { kind: "passkey" }, false, "remembers");
    return recorder;
  }

  async run(wave: Wave, number: number): Promise<void> {
    this.#at += wave.delayMs;
    if (wave.guard === "evicted") await this.#evict();
    if (wave.guard === "emptied") {
      // Deliver the outbox first: it would be lost with the storage.
      await Promise.all(this.#abandoned);
      await drainOutbox(this.#user);
      await loseStorage(this.#user);
      await this.#rehydrate();
    }
    this.#prepared.push(await this.#prepareAnswer());
    await Promise.all(
      wave.clients.map(async (steps, index) => {
        for (const { act, abandoned, device } of steps) {
          const client = `client ${number}.${index + 1}`;
          if (act.kind === "evict") await this.#evict();
          else if (act.kind === "crash") await this.#crash();
          else if (abandoned) this.#abandoned.push(this.#call(client, act, true, device));
          else await this.#call(client, act, false, device);
        }
      }),
    );
  }

  /** Waits for all open calls, reads the profile and the trail, and returns the history. */
  async end(): Promise<History> {
    await Promise.all(this.#abandoned);
    await drainOutbox(this.#user);
    await this.#call("the end", { kind: "read" }, false, "silent");
    const query = `externalUserId=${encodeURIComponent(this.#user.externalId)}&limit=100`;
    const sent = ++this.#tick;
    const { body } = await sendAt(this.#tenant.token, this.#at, {
      method: "GET",
      path: `/v1/audit/events?${query}`,
    });
    if (body.has_more) throw new Error("The trail is longer than a page");
    const trail: Recorded = {
      id: this.#calls.length + 1,
      client: "the end",
      about: "trail",
      at: this.#at,
      sent,
      answered: ++this.#tick,
      answer: countTrail(body.events),
      operation: { kind: "trail" },
    };
    return [...this.#calls.map((call) => this.#recordOf(call)), trail];
  }

  /** Has the guard load its record at the time of the wave. */
  async #rehydrate(): Promise<void> {
    const id = this.#calls.length + 1;
    const call = { id, client: "the test", about: "rehydrate", code: "" };
    const ticks = { sent: ++this.#tick, answered: ++this.#tick };
    const chosen = { prepared: undefined, target: undefined };
    this.#calls.push({ ...call, ...chosen, ...ticks, at: this.#at, act: "rehydrate", answer: "" });
    await this.#call("the test", { kind: "read" }, false, "silent");
  }

  /** Has the authenticator answer a new challenge of a login without a name. */
  async #prepareAnswer(): Promise<PreparedAnswer> {
    // Of an abandoned call, the next wave may have begun when the options are there.
    const issuedAt = this.#at;
    const { body } = await sendAt(this.#tenant.token, issuedAt, {
      method: "POST",
      path: "/v1/idp/passkeys/options",
      body: { passkey: {} },
    });
    const options = body.passkey.public_key;
    const credential = await this.#authenticator.get(options, page);
    return {
      challenge: ++this.#challenges,
      issuedAt,
      body: { passkey: { challenge: options.challenge, credential } },
    };
  }

  /** A second eviction at the same time, or one after a crash, finds no guard to evict. */
  async #evict(): Promise<void> {
    await evict(this.#user).catch(() => {});
  }

  async #crash(): Promise<void> {
    this.crashes += 1;
    const reason = "The guard crashed during a call";
    await runInDurableObject(guardOf(this.#user), (_guard, state) => state.abort(reason)).catch(
      () => {},
    );
  }

  #requestOf(kind: Act["kind"], { code, prepared, target, device }: Chosen): ClientRequest {
    const user = this.#user;
    const labels = { issuer_name: "Acme", account_name: "alexander" };
    switch (kind) {
      case "add":
        return {
          method: "POST",
          path: user.path("/authenticators"),
          body: { authenticator: labels },
        };
      case "remove": {
        const known = this.#authenticators.find(({ by }) => by === target);
        const id = known?.value ?? unknownUser.authenticatorId;
        return { method: "DELETE", path: user.path(`/authenticators/${id}`) };
      }
      case "passkey":
      case "prepared passkey":
        return {
          method: "POST",
          path: "/v1/idp/passkeys/verify",
          body: { passkey: { ...prepared?.body.passkey, ...device } },
        };
      case "configure":
        return {
          method: "POST",
          path: user.path("/otp"),
          body: { otp: labels },
        };
      case "regenerate":
        return { method: "POST", path: user.path("/backup-codes") };
      case "unlock":
        return { method: "POST", path: user.path("/unlock") };
      case "suspend":
      case "reactivate": {
        const status = kind === "suspend" ? "suspended" : "active";
        return { method: "PATCH", path: user.path(), body: { user: { status } } };
      }
      case "read":
        return { method: "GET", path: user.path() };
      default:
        return {
          method: "POST",
          path: "/v1/idp/otp/verify",
          body: { otp: { id: user.externalId, code, ...device } },
        };
    }
  }

  /** Sends a request and stores the secret or the codes that the answer shows. */
  async #send(kind: Act["kind"], id: number, chosen: Chosen = { code: "" }) {
    const request = this.#requestOf(kind, chosen);
    const answer = await sendAt(this.#tenant.token, this.#at, request);
    const { user, authenticator, device } = answer.body;
    if (device?.token) this.#deviceTokens.push({ by: id, value: device.token });
    if (authenticator !== undefined) {
      this.#secrets.push({ by: id, value: authenticator.new_otp_secret });
      this.#authenticators.push({ by: id, value: authenticator.id });
    }
    if (user?.new_otp_secret) this.#secrets.push({ by: id, value: user.new_otp_secret });
    if (user?.backupCodes) this.#sets.push({ by: id, value: user.backupCodes });
    return answer;
  }

  async #call(client: string, act: Act, abandoned: boolean, device: Step["device"]): Promise<void> {
    const { code, about, target } = this.#choose(act);
    const prepared = await this.#chooseAnswer(act);
    const known = device === "sends token" ? this.#deviceTokens.at(-1) : undefined;
    const isVerification = code !== "" || prepared !== undefined;
    const remembers = isVerification && device === "remembers";
    const index = this.#calls.length;
    const id = index + 1;
    const call: SentCall = {
      id,
      client,
      about,
      act: act.kind,
      code,
      at: this.#at,
      sent: ++this.#tick,
      answered: null,
      answer: null,
      prepared,
      target,
      ...(isVerification && known !== undefined ? { device: known.by } : {}),
      ...(remembers ? { remembers } : {}),
    };
    this.#calls.push(call);
    if (code !== "") this.#codes.push(code);
    const named = {
      ...(known === undefined ? {} : { device_token: known.value }),
      ...(remembers ? { remember_device: { days: 30 } } : {}),
    };
    const answer = answerOf(
      await this.#send(act.kind, id, { code, prepared, target, device: named }),
    );
    if (answer === null) this.unavailable += 1;
    if (answer === null || abandoned) return;
    this.#calls[index] = { ...call, answered: ++this.#tick, answer };
  }

  /** Chooses the code to send, or the secret to remove, from those that the client knows now. */
  #choose(act: Act): { code: string; about: string; target?: number } {
    switch (act.kind) {
      case "remove": {
        const target = (this.#authenticators.at(-1 - act.age) ?? this.#authenticators[0])?.by ?? -1;
        return { code: "", about: `remove secret #${target}`, target };
      }
      case "code": {
        const secret = this.#secrets.at(-1 - act.age) ?? this.#secrets[0];
        const code = codeFor(secret?.value ?? "", this.#at + act.away * stepMs);
        return { code, about: `code of secret #${secret?.by}, step ${act.away}` };
      }
      case "replay": {
        const code = this.#codes[act.pick % Math.max(1, this.#codes.length)];
        return { code: code ?? this.#findWrongCode(), about: "code sent before" };
      }
      case "backup code": {
        const set = this.#sets.at(-1 - act.age) ?? this.#sets[0];
        return { code: set?.value[act.index] ?? "", about: `code ${act.index} of set #${set?.by}` };
      }
      case "wrong code":
        return { code: this.#findWrongCode(), about: "wrong code" };
      case "wrong backup code":
        return { code: wrongBackupCode, about: "wrong backup code" };
      default:
        return { code: "", about: act.kind };
    }
  }

  async #chooseAnswer(act: Act): Promise<PreparedAnswer | undefined> {
    if (act.kind === "passkey") return await this.#prepareAnswer();
    if (act.kind !== "prepared passkey") return undefined;
    return this.#prepared.at(-1 - act.age) ?? this.#prepared[0];
  }

  #findWrongCode(): string {
    const codes = ["000000", "111111", "222222", "333333", "444444", "555555"];
    return codes.find((code) => Object.keys(this.#findSteps(code, this.#at)).length === 0) ?? "";
  }

  /** The secrets for which the code is valid around that time, each with the newest such step. */
  #findSteps(code: string, at: number): Record<number, number> {
    const steps: Record<number, number> = {};
    for (const { by, value } of this.#secrets) {
      const away = [1, 0, -1].find((step) => codeFor(value, at + step * stepMs) === code);
      if (away !== undefined) steps[by] = Math.floor(at / stepMs) + away;
    }
    return steps;
  }

  #operationOf({ act, code, at, prepared, target = -1 }: SentCall): Operation {
    switch (act) {
      case "remove":
        return { kind: "remove", secret: target };
      case "passkey":
      case "prepared passkey": {
        const { challenge = 0, issuedAt = 0 } = prepared ?? {};
        return { kind: "passkey", challenge, issuedAt };
      }
      case "code":
      case "replay":
      case "backup code":
      case "wrong code":
      case "wrong backup code": {
        if (/^\d{6}$/.test(code)) return { kind: "totp", code, steps: this.#findSteps(code, at) };
        const set = this.#sets.find(({ value }) => value.includes(code));
        return {
          kind: "backup code",
          set: set?.by ?? null,
          index: set?.value.indexOf(code) ?? 0,
        };
      }
      case "evict":
      case "crash":
        throw new Error("Not a call");
      default:
        return { kind: act };
    }
  }

  #recordOf(sent: SentCall): Recorded {
    const { act: _act, code: _code, prepared: _prepared, target: _target, ...call } = sent;
    return { ...call, operation: this.#operationOf(sent) };
  }
}

export async function record(tenant: Tenant, schedule: Schedule) {
  const recorder = await Recorder.create(tenant);
  for (const [index, wave] of schedule.waves.entries()) await recorder.run(wave, index + 1);
  const history = await recorder.end();
  const { crashes, unavailable } = recorder;
  return { history, crashes, unavailable };
}
