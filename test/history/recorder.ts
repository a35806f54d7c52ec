/** Carries out a schedule on an identity of its own, and records when what was asked and answered. */
import { runInDurableObject } from "cloudflare:test";
import { codeFor } from "../support/authenticator.ts";
import { type Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict, guardOf, loseStorage } from "../support/guard.ts";
import type { History, Recorded } from "./checker.ts";
import { first, type Operation } from "./model.ts";
import type { Act, Schedule, Wave } from "./schedule.ts";
import { type Asked, answerOf, ask, trailOf } from "./service.ts";

const stepMs = 30_000;
/** The time at which every history begins. */
export const begin = Date.UTC(2030, 0, 1);
const wrongBackupCode = "ZZZZ-0000";

/** Something that was made once, and the call that made it. */
interface Made<T> {
  readonly by: number;
  readonly is: T;
}

/** A call as it was sent; what its code is of is known only when all secrets are. */
type Sent = Omit<Recorded, "operation"> & { readonly act: Act["kind"]; readonly code: string };

class Recorder {
  readonly #tenant: Tenant;
  readonly #user: User;
  readonly #secrets: Made<string>[] = [];
  readonly #sets: Made<readonly string[]>[] = [];
  readonly #codes: string[] = [];
  readonly #calls: Sent[] = [];
  readonly #abandoned: Promise<void>[] = [];
  #tick = 0;
  #at = begin;
  /** Times the guard was broken off, and calls answered with 503. */
  crashes = 0;
  unavailable = 0;

  constructor(tenant: Tenant, user: User) {
    this.#tenant = tenant;
    this.#user = user;
  }

  /** Provisioned, configured, with backup codes: where the model begins. */
  static async ready(tenant: Tenant): Promise<Recorder> {
    const recorder = new Recorder(tenant, await User.provision(tenant));
    await recorder.#keep("configure", first);
    await recorder.#keep("regenerate", first);
    return recorder;
  }

  async run(wave: Wave, number: number): Promise<void> {
    this.#at += wave.later;
    if (wave.guard === "evicted") await this.#evict();
    if (wave.guard === "emptied") {
      // What D1 has not heard of would be lost with it.
      await Promise.all(this.#abandoned);
      await drainOutbox(this.#user);
      await loseStorage(this.#user);
    }
    await Promise.all(
      wave.clients.map(async (steps, index) => {
        for (const { act, abandoned } of steps) {
          const client = `client ${number}.${index + 1}`;
          if (act.kind === "evict") await this.#evict();
          else if (act.kind === "crash") await this.#crash();
          else if (abandoned) this.#abandoned.push(this.#call(client, act, true));
          else await this.#call(client, act, false);
        }
      }),
    );
  }

  /** Waits for all that is under way, reads the profile and the trail, and tells the history. */
  async end(): Promise<History> {
    await Promise.all(this.#abandoned);
    await drainOutbox(this.#user);
    await this.#call("the end", { kind: "read" }, false);
    const query = `externalUserId=${encodeURIComponent(this.#user.externalId)}&limit=100`;
    const made = ++this.#tick;
    const { body } = await ask(this.#tenant.token, this.#at, {
      method: "GET",
      path: `/v1/audit/events?${query}`,
    });
    if (body.has_more) throw new Error("The trail is longer than a page");
    const trail: Recorded = {
      id: this.#calls.length + 1,
      client: "the end",
      about: "trail",
      at: this.#at,
      made,
      answered: ++this.#tick,
      answer: trailOf(body.events),
      operation: { kind: "trail" },
    };
    return [...this.#calls.map((call) => this.#recorded(call)), trail];
  }

  /** Of two at once, or after a crash, the second finds no guard to evict. */
  async #evict(): Promise<void> {
    await evict(this.#user).catch(() => {});
  }

  async #crash(): Promise<void> {
    this.crashes += 1;
    const moved = "The guard was moved in the middle of a call";
    await runInDurableObject(guardOf(this.#user), (_guard, state) => state.abort(moved)).catch(
      () => {},
    );
  }

  #asked(kind: Act["kind"], code: string): Asked {
    const user = this.#user;
    switch (kind) {
      case "configure":
        return {
          method: "POST",
          path: user.path("/otp"),
          body: { otp: { issuer_name: "Acme", account_name: "alexander" } },
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
          body: { otp: { id: user.externalId, code } },
        };
    }
  }

  /** Asks, and keeps a secret or codes that the answer shows. */
  async #keep(kind: Act["kind"], id: number, code = "") {
    const answer = await ask(this.#tenant.token, this.#at, this.#asked(kind, code));
    const { user } = answer.body;
    if (user?.new_otp_secret) this.#secrets.push({ by: id, is: user.new_otp_secret });
    if (user?.backupCodes) this.#sets.push({ by: id, is: user.backupCodes });
    return answer;
  }

  async #call(client: string, act: Act, abandoned: boolean): Promise<void> {
    const { code, about } = this.#chosen(act);
    const index = this.#calls.length;
    const id = index + 1;
    const sent: Sent = {
      id,
      client,
      about,
      act: act.kind,
      code,
      at: this.#at,
      made: ++this.#tick,
      answered: null,
      answer: null,
    };
    this.#calls.push(sent);
    if (code !== "") this.#codes.push(code);
    const answer = answerOf(await this.#keep(act.kind, id, code));
    if (answer === null) this.unavailable += 1;
    if (answer === null || abandoned) return;
    this.#calls[index] = { ...sent, answered: ++this.#tick, answer };
  }

  /** The code that the client sends, from what it knows now. */
  #chosen(act: Act): { code: string; about: string } {
    switch (act.kind) {
      case "code": {
        const secret = this.#secrets.at(-1 - act.age) ?? this.#secrets[0];
        const code = codeFor(secret?.is ?? "", this.#at + act.away * stepMs);
        return { code, about: `code of secret #${secret?.by}, step ${act.away}` };
      }
      case "replay": {
        const code = this.#codes[act.pick % Math.max(1, this.#codes.length)];
        return { code: code ?? this.#wrong(), about: "code sent before" };
      }
      case "backup code": {
        const set = this.#sets.at(-1 - act.age) ?? this.#sets[0];
        return { code: set?.is[act.index] ?? "", about: `code ${act.index} of set #${set?.by}` };
      }
      case "wrong code":
        return { code: this.#wrong(), about: "wrong code" };
      case "wrong backup code":
        return { code: wrongBackupCode, about: "wrong backup code" };
      default:
        return { code: "", about: act.kind };
    }
  }

  #wrong(): string {
    const codes = ["000000", "111111", "222222", "333333", "444444", "555555"];
    return codes.find((code) => Object.keys(this.#steps(code, this.#at)).length === 0) ?? "";
  }

  /** The secrets whose code this is around that time, and the newest step in which it is. */
  #steps(code: string, at: number): Record<number, number> {
    const steps: Record<number, number> = {};
    for (const { by, is } of this.#secrets) {
      const away = [1, 0, -1].find((step) => codeFor(is, at + step * stepMs) === code);
      if (away !== undefined) steps[by] = Math.floor(at / stepMs) + away;
    }
    return steps;
  }

  #operation({ act, code, at }: Sent): Operation {
    switch (act) {
      case "code":
      case "replay":
      case "backup code":
      case "wrong code":
      case "wrong backup code": {
        if (/^\d{6}$/.test(code)) return { kind: "totp", steps: this.#steps(code, at) };
        const set = this.#sets.find(({ is }) => is.includes(code));
        return {
          kind: "backup code",
          set: set?.by ?? null,
          index: set?.is.indexOf(code) ?? 0,
        };
      }
      case "evict":
      case "crash":
        throw new Error("No call");
      default:
        return { kind: act };
    }
  }

  #recorded({ act, code, ...call }: Sent): Recorded {
    return { ...call, operation: this.#operation({ act, code, ...call }) };
  }
}

export async function record(tenant: Tenant, schedule: Schedule) {
  const recorder = await Recorder.ready(tenant);
  for (const [index, wave] of schedule.waves.entries()) await recorder.run(wave, index + 1);
  const history = await recorder.end();
  const { crashes, unavailable } = recorder;
  return { history, crashes, unavailable };
}
