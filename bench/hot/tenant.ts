/** Tenants of the service, with the requests of their users for each row. */
import { z } from "zod";
import type { PasskeyAuthenticator } from "../../test/support/passkey-authenticator.ts";
import { codeFor, wrongCodeFor } from "./authenticator.ts";
import type { Ours } from "./ours.ts";
import { answerWithPasskey, createDevice, createPasskey } from "./passkeys.ts";
import type { Shot } from "./protocol.ts";
import type { Prepare, Whose } from "./subject.ts";
import { clockHeader, createPost, createTenant, type TokenTurns, tokens } from "./token-turns.ts";

/** The time between two visits of a user, by the tenant's clock. */
const visitMs = 8 * 60 * 60 * 1000;
/** Longer than the longest lock. */
const lockedVisitMs = 8 * 24 * 60 * 60 * 1000;
/** Users of warm-up requests, one for each concurrent request. */
const doorkeepers = 8;
const enrolledAtOnce = 100;

const userAnswer = z.object({ user: z.object({ id: z.string() }) });
const secretAnswer = z.object({ user: z.object({ new_otp_secret: z.string() }) });

export interface TenantOptions {
  /** The settings for `PATCH /v1/settings`. */
  readonly settings?: unknown;
  /** Of all tenants together. */
  readonly users: number;
  /** How many tenants share the users. */
  readonly tenants: number;
}

interface User {
  readonly turns: TokenTurns;
  readonly id: string;
  readonly externalId: string;
  readonly secret: string;
  /** The address of its sessions, in a block of its own. */
  readonly address: string;
  /** Holds the user's passkey, if it has one. */
  readonly device: PasskeyAuthenticator;
  visits: number;
}

const agent =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

/** An address of one /12, in a block of its own. */
function addressOf(n: number): string {
  return `85.${16 + (Math.floor(n / 256) % 16)}.${n % 256}.10`;
}

/** Creates test tenants with users. */
export async function createTenants(
  ours: Ours,
  { settings, users, tenants }: TenantOptions,
): Promise<BenchTenants> {
  const all: TokenTurns[] = [];
  for (let n = 0; n < tenants; n += 1) {
    all.push(await createTenant(ours, settings, Math.ceil(tokens / tenants)));
  }
  const created = new BenchTenants(all);
  await created.enrol(ours, users);
  return created;
}

/**
 * Test tenants with the same settings, and a clock that the bench sets. The load is spread over them and over their
 * tokens: an isolate asks the rate limiter about a token with more than a hundred requests in ten seconds, and about a
 * tenant with more than five hundred, and the local limiter costs far more than the platform's.
 */
export class BenchTenants {
  readonly #tenants: readonly TokenTurns[];
  readonly #users: User[] = [];
  /** Users of warm-up requests. */
  readonly #doorkeepers: User[] = [];
  readonly #startedAt = Date.now();
  #nextUser = 0;
  #provisioned = 0;
  /** Events that the trails must have after the requests so far. */
  #expected = 0;

  constructor(tenants: readonly TokenTurns[]) {
    this.#tenants = tenants;
  }

  get ids(): readonly string[] {
    return this.#tenants.map(({ tenantId }) => tenantId);
  }

  /** Creates the users, each with a secret, and the users of warm-up requests. */
  async enrol(ours: Ours, count: number): Promise<void> {
    this.#users.push(...(await this.#newUsers(ours, "USR", count)));
    this.#doorkeepers.push(
      ...(await this.#newUsers(ours, "DOOR", count > doorkeepers ? doorkeepers : 0)),
    );
  }

  async #newUsers(ours: Ours, kind: string, count: number): Promise<User[]> {
    const users: User[] = [];
    for (let from = 0; from < count; from += enrolledAtOnce) {
      const length = Math.min(enrolledAtOnce, count - from);
      const named = Array.from({ length }, (_, n) => ({
        name: `ORG_${kind}_BENCH_${from + n}`,
        turns: this.#tenantOf(from + n),
      }));
      this.#startBurst();
      const provisioned = await ours.send(
        named.map(({ name, turns }) =>
          createPost(turns.next(), "/v1/idp/users", { user: { external_id: name } }, 201),
        ),
      );
      const otp = { otp: { issuer_name: "Acme", account_name: "a@example.com" } };
      const configured = await ours.send(
        named.map(({ name, turns }) =>
          createPost(turns.next(), `/v1/idp/user/otp?externalUserId=${name}`, otp, 200),
        ),
      );
      for (const [n, { name, turns }] of named.entries()) {
        users.push({
          turns,
          id: userAnswer.parse(JSON.parse(provisioned[n] ?? "")).user.id,
          externalId: name,
          secret: secretAnswer.parse(JSON.parse(configured[n] ?? "")).user.new_otp_secret,
          address: addressOf(from + n),
          device: createDevice(),
          visits: 0,
        });
      }
    }
    return users;
  }

  /** Registers a passkey for each user. Users who have a factor must verify it first. */
  async registerPasskeys(ours: Ours): Promise<void> {
    this.#startBurst();
    const visits = this.#startVisits(this.#users);
    await ours.send(visits.map(({ user, at }) => this.#verify(user, at, "right", 200)));
    const path = "/v1/idp/user/passkeys";
    const options = await ours.send(
      visits.map(({ user: { turns, externalId }, at }) => {
        const named = `${path}/options?externalUserId=${externalId}`;
        const body = { passkey: { user_name: "a@example.com" } };
        return createPost(turns.next(), named, body, 200, clockHeader(at));
      }),
    );
    const registrations = visits.map(async ({ user: { turns, externalId, device }, at }, n) => {
      const named = `${path}?externalUserId=${externalId}`;
      const body = await createPasskey(device, options[n] ?? "");
      return createPost(turns.next(), named, body, 201, clockHeader(at));
    });
    await ours.send(await Promise.all(registrations));
  }

  /** Adds four authenticators to the one that each user has. */
  async addAuthenticators(ours: Ours): Promise<void> {
    const authenticator = { issuer_name: "Acme", account_name: "a@example.com" };
    for (let n = 0; n < 4; n += 1) {
      this.#startBurst();
      await ours.send(
        this.#users.map(({ turns, externalId }) => {
          const path = `/v1/idp/user/authenticators?externalUserId=${externalId}`;
          return createPost(turns.next(), path, { authenticator }, 201);
        }),
      );
    }
  }

  /** Starts counting from the events that the trails have now. */
  async countFrom(ours: Ours): Promise<void> {
    this.#expected = await ours.countEvents(this.ids);
  }

  /** @throws Error if D1 has another number of events than expected */
  async checkTrails(ours: Ours): Promise<void> {
    const events = await ours.countEvents(this.ids);
    if (events === this.#expected) return;
    throw new Error(`D1 has ${events} events of these tenants instead of ${this.#expected}`);
  }

  /** Right codes of as many users, or of one user repeatedly. */
  right(whose: Whose): Prepare {
    return this.#visits(whose, (user, at) => this.#verify(user, at, "right", 200));
  }

  /** Wrong codes, for a tenant in which a hundred of them do not lock. */
  wrong(whose: Whose): Prepare {
    return this.#visits(whose, (user, at) => this.#verify(user, at, "wrong", 422));
  }

  /** Answers of passkeys to challenges that the service issues before the burst. */
  passkey(ours: Ours): Prepare {
    return async (requests) => {
      this.#startBurst();
      const users = this.#next(requests);
      const visits = this.#startVisits(users);
      const options = await ours.send(
        visits.map(({ user: { turns, externalId }, at }) => {
          const body = { passkey: { id: externalId } };
          return createPost(turns.next(), "/v1/idp/passkeys/options", body, 200, clockHeader(at));
        }),
      );
      this.#expected += requests;
      const logins = visits.map(async ({ user: { turns, externalId, device }, at }, n) => {
        const body = await answerWithPasskey(device, externalId, options[n] ?? "");
        return createPost(turns.next(), "/v1/idp/passkeys/verify", body, 200, clockHeader(at));
      });
      return { before: [], warmUp: this.#warmUp(users), shots: await Promise.all(logins) };
    };
  }

  profile(whose: Whose): Prepare {
    return this.#visits(whose, (user) => this.#profile(user));
  }

  discover(whose: Whose): Prepare {
    return this.#visits(whose, (user, at) => this.#discover(user, at));
  }

  /** The first refused attempt after a lock, for a tenant in which one wrong code locks for a week. */
  locked(): Prepare {
    return (requests) => {
      this.#startBurst();
      const users = this.#next(requests);
      const at = users.map((user) => this.#startedAt + ++user.visits * lockedVisitMs);
      const each = (make: (user: User, at: number) => Shot) =>
        users.map((user, n) => make(user, at[n] ?? 0));
      // The wrong code has an event, and the lock has another.
      this.#expected += requests;
      return {
        before: each((user, time) => this.#verify(user, time, "wrong", 422)),
        warmUp: this.#warmUp(users),
        shots: each((user, time) => this.#verify(user, time + 60_000, "right", 423)),
      };
    };
  }

  provision(): Prepare {
    return (requests) => {
      this.#startBurst();
      this.#expected += requests;
      return {
        before: [],
        warmUp: this.#warmUp([]),
        shots: Array.from({ length: requests }, () => {
          const n = this.#provisioned++;
          const user = { external_id: `ORG_USR_NEW_${n}` };
          return createPost(this.#tenantOf(n).next(), "/v1/idp/users", { user }, 201);
        }),
      };
    };
  }

  #visits(whose: Whose, make: (user: User, at: number) => Shot): Prepare {
    return (requests) => {
      this.#startBurst();
      const users =
        whose === "one"
          ? Array.from({ length: requests }, () => this.#users[0]).flatMap((user) => user ?? [])
          : this.#next(requests);
      return {
        before: [],
        warmUp: this.#warmUp(whose === "cold" ? [] : users),
        shots: this.#startVisits(users).map(({ user, at }) => make(user, at)),
      };
    };
  }

  /** Starts the next visit of each user. */
  #startVisits(users: readonly User[]): { readonly user: User; readonly at: number }[] {
    return users.map((user) => ({ user, at: this.#startedAt + ++user.visits * visitMs }));
  }

  #verify(user: User, at: number, kind: "right" | "wrong", status: number): Shot {
    this.#expected += 1;
    const code = (kind === "right" ? codeFor : wrongCodeFor)(user.secret, at);
    const body = { otp: { id: user.externalId, code } };
    return createPost(user.turns.next(), "/v1/idp/otp/verify", body, status, clockHeader(at));
  }

  #profile({ turns, externalId }: User): Shot {
    return {
      method: "GET",
      path: `/v1/idp/user?externalUserId=${externalId}`,
      headers: { Authorization: `Bearer ${turns.next()}` },
      status: 200,
    };
  }

  #discover({ turns, id, address }: User, at: number): Shot {
    const context = { ip: address, ua: agent };
    this.#expected += 1;
    return createPost(
      turns.next(),
      "/v1/sentinel/discover",
      { sentinel: { id, context } },
      200,
      clockHeader(at),
    );
  }

  /** Reads that open connections, cache the tokens, and start the guards of these users. */
  #warmUp(users: readonly User[]): Shot[] {
    return [...new Set([...users, ...this.#doorkeepers])].map((user) => this.#profile(user));
  }

  #next(count: number): User[] {
    return Array.from(
      { length: count },
      () => this.#users[this.#nextUser++ % this.#users.length],
    ).flatMap((user) => user ?? []);
  }

  #startBurst(): void {
    for (const tenant of this.#tenants) tenant.startBurst();
  }

  /** The tenant of the user with that number. */
  #tenantOf(n: number): TokenTurns {
    const tenant = this.#tenants[n % this.#tenants.length];
    if (tenant === undefined) throw new RangeError("No tenants");
    return tenant;
  }
}
