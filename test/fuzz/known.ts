/** What a run knows of the tenants it asks about: made at the start, and learnt from the answers. */
import { env } from "cloudflare:workers";
import { permissions } from "../../src/tenancy/permission.ts";
import { codeFor } from "../support/authenticator.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import type { Credential } from "./request-arbitrary.ts";
import type { KnownName } from "./texts.ts";

/** Each token may make 1,000 requests in ten seconds; with several none of them gets there. */
const tokensEach = 3;
const usersAtFirst = 12;
const maxRemembered = 200;

interface KnownUser {
  readonly externalId: string;
  readonly id: string;
  secret?: string;
  backupCodes: string[];
  readonly assessmentIds: string[];
}

function pick<T>(from: readonly T[], subject: number): T | undefined {
  return from[subject % Math.max(from.length, 1)];
}

/** One tenant, as far as the answers told. */
class Realm {
  readonly tenant: Tenant;
  readonly tokens: string[] = [];
  readonly #users: KnownUser[] = [];
  readonly #tokenIds: string[] = [];
  readonly #eventIds: string[] = [];
  /** Of a tenant that nothing else is asked about: erasures wait where one is moving. */
  #movableTenantId = "";

  private constructor(tenant: Tenant) {
    this.tenant = tenant;
  }

  static async create(...[mode, where]: Parameters<typeof Tenant.create>): Promise<Realm> {
    const realm = new Realm(await Tenant.create(mode, where));
    for (let n = 0; n < tokensEach; n += 1) {
      realm.tokens.push(await realm.tenant.tokenWith(permissions));
    }
    for (let n = 0; n < usersAtFirst; n += 1) {
      const user = await User.withTotp(realm.tenant);
      const { externalId, id, secret } = user;
      const backupCodes = await user.backupCodes();
      const { assessment_id } = await user.assess();
      realm.#users.push({ externalId, id, secret, backupCodes, assessmentIds: [assessment_id] });
    }
    realm.#movableTenantId = (await Tenant.create(mode)).id;
    const { events } = (await realm.tenant.send("GET", "/v1/audit/events?limit=100")).body;
    for (const { id } of events) realm.#eventIds.push(id);
    return realm;
  }

  /** @param at Unix ms, for codes */
  valueOf(name: KnownName, subject: number, at: number): string {
    const user = pick(this.#users, subject);
    switch (name) {
      case "externalId":
        return user?.externalId ?? "nobody";
      case "identityId":
        return user?.id ?? "0".repeat(24);
      case "totpCode":
        return user?.secret === undefined ? "000000" : codeFor(user.secret, at);
      case "backupCode":
        return user?.backupCodes.pop() ?? "ABCD-1234";
      case "assessmentId":
        return pick(user?.assessmentIds ?? [], subject) ?? "0".repeat(48);
      case "tokenId":
        return pick(this.#tokenIds, subject) ?? "0".repeat(24);
      case "movableTenantId":
        return this.#movableTenantId;
      case "eventId":
        return pick(this.#eventIds, subject) ?? "0".repeat(24);
    }
  }

  /** Remembers what a success of that route gave. */
  learn(route: string, body: Answer["body"], url: URL, sent: Uint8Array | undefined): void {
    const externalId = url.searchParams.get("externalUserId");
    const user = this.#users.find((one) => one.externalId === externalId);
    switch (route) {
      case "provisionUser": {
        const { id, external_id } = body.user;
        this.#users.push({ externalId: external_id, id, backupCodes: [], assessmentIds: [] });
        break;
      }
      case "configureOtp":
        if (user !== undefined) user.secret = body.user.new_otp_secret;
        break;
      case "regenerateBackupCodes":
        if (user !== undefined) user.backupCodes = body.user.backupCodes;
        break;
      case "eraseUser":
        if (user !== undefined) this.#users.splice(this.#users.indexOf(user), 1);
        break;
      case "discover": {
        const { id } = JSON.parse(new TextDecoder().decode(sent)).sentinel;
        this.#users.find((one) => one.id === id)?.assessmentIds.unshift(body.assessment_id);
        break;
      }
      case "createToken":
      case "rotateToken":
        this.#tokenIds.push(body.token.id);
        break;
      case "revokeToken": {
        const id = url.pathname.split("/").at(-1) ?? "";
        if (this.#tokenIds.includes(id)) this.#tokenIds.splice(this.#tokenIds.indexOf(id), 1);
        break;
      }
      case "listAuditEvents":
        for (const event of body.events) this.#eventIds.push(event.id);
        break;
    }
    for (const ids of [this.#eventIds, this.#tokenIds]) {
      if (ids.length > maxRemembered) ids.splice(0, ids.length - maxRemembered);
    }
  }
}

export interface Bearer {
  /** Whose ids and codes are sent. */
  readonly realm: Realm;
  /** Whose token it is. */
  readonly owner: Realm;
  /** The whole header; undefined where none is sent. */
  readonly authorization: string | undefined;
  readonly isEntitled: (access: string) => boolean;
  readonly mode: "live" | "test";
}

export class Known {
  readonly #tests: readonly Realm[];
  readonly #live: Realm;
  readonly #narrow: readonly { readonly permission: string; readonly token: string }[];
  readonly #expired: string;
  readonly #revoked: string;

  private constructor(
    tests: readonly Realm[],
    live: Realm,
    narrow: readonly { readonly permission: string; readonly token: string }[],
    [expired, revoked]: readonly [string, string],
  ) {
    this.#tests = tests;
    this.#live = live;
    this.#narrow = narrow;
    this.#expired = expired;
    this.#revoked = revoked;
  }

  static async create(): Promise<Known> {
    const tests = [await Realm.create("test"), await Realm.create("test", { shard: 1 })];
    const live = await Realm.create("live", { jurisdiction: "eu" });
    const { tenant } = live;
    const narrow = [];
    for (const permission of permissions) {
      narrow.push({ permission, token: await tenant.tokenWith([permission]) });
    }
    const make = async (): Promise<{ id: string; secret: string }> => {
      const token = { name: "dead", permissions };
      return (await tenant.send("POST", "/v1/tokens", { token })).body.token;
    };
    const rotated = await make();
    const overlap = { token: { overlap_seconds: 0 } };
    await tenant.send("POST", `/v1/tokens/${rotated.id}/rotate`, overlap);
    const revoked = await make();
    await tenant.send("DELETE", `/v1/tokens/${revoked.id}`);
    return new Known(tests, live, narrow, [rotated.secret, revoked.secret]);
  }

  bearer(credential: Credential, subject: number): Bearer {
    const test = pick(this.#tests, subject) ?? this.#live;
    const token = (realm: Realm) => pick(realm.tokens, subject >> 4) ?? "";
    const whole = (access: string) => access !== "operator";
    const nobody = (access: string) => access === "public";
    const mine = { realm: test, owner: test, mode: "test", isEntitled: nobody } as const;
    const theirs = { realm: this.#live, owner: this.#live, mode: "live" } as const;
    switch (credential) {
      case "right":
        return { ...mine, authorization: `Bearer ${token(test)}`, isEntitled: whole };
      case "live": {
        const authorization = `bearer  ${token(this.#live)}`;
        return { ...theirs, authorization, isEntitled: whole };
      }
      case "stranger": {
        // A good token of one tenant, with the ids of another.
        const authorization = `Bearer ${token(this.#live)}`;
        return { ...theirs, realm: test, authorization, isEntitled: whole };
      }
      case "narrow": {
        const { permission, token: secret } = pick(this.#narrow, subject) ?? {};
        const isEntitled = (access: string) => access === permission || nobody(access);
        const authorization = `Bearer ${secret}`;
        return { ...theirs, authorization, isEntitled };
      }
      case "operator": {
        const isEntitled = (access: string) => access === "operator" || nobody(access);
        const authorization = `Bearer ${env.OPERATOR_TOKEN}`;
        return { ...mine, mode: "live", authorization, isEntitled };
      }
      case "expired":
        return { ...mine, authorization: `Bearer ${this.#expired}` };
      case "revoked":
        return { ...mine, authorization: `Bearer ${this.#revoked}` };
      case "mistyped":
        return { ...mine, authorization: `Bearer ${token(test).slice(0, -1)}` };
      case "garbage": {
        const texts = ["", "Bearer", "Bearer \t", "Basic dTpw", "Bearer a b", "x".repeat(9_000)];
        return { ...mine, authorization: pick(texts, subject) };
      }
      case "none":
        return { ...mine, authorization: undefined };
    }
  }
}
