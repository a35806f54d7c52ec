/** The tenants of a run with their ids, tokens and codes: created at the start, then updated from the answers. */
import { env } from "cloudflare:workers";
import { permissions } from "../../src/tenancy/permission.ts";
import { codeFor } from "../support/authenticator.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { verifyWith } from "../support/devices.ts";
import { givePasskey } from "../support/passkeys.ts";
import { giveAttempt } from "../support/receiver.ts";
import { createStream } from "../support/stream-receiver.ts";
import type { Credential } from "./request-arbitrary.ts";
import type { KnownName } from "./texts.ts";

/** A token is limited to 1,000 requests in ten seconds. With several tokens no token reaches the limit. */
const tokensPerTenant = 3;
const initialUsers = 12;
const usersWithPasskey = 8;
const usersWithDevice = 12;
const usersWithoutFactor = 4;
const attemptedWebhooks = 2;
const initialStreams = 2;
const maxKnownIds = 200;

interface KnownUser {
  readonly externalId: string;
  readonly id: string;
  secret?: string;
  backupCodes: string[];
  readonly assessmentIds: string[];
  readonly passkeyIds: string[];
  readonly authenticatorIds: string[];
  readonly deviceIds: string[];
}

function pick<T>(from: readonly T[], subject: number): T | undefined {
  return from[subject % Math.max(from.length, 1)];
}

/** One tenant, as known from the answers. */
class KnownTenant {
  readonly tenant: Tenant;
  readonly tokens: string[] = [];
  readonly #users: KnownUser[] = [];
  readonly #tokenIds: string[] = [];
  readonly #eventIds: string[] = [];
  readonly #webhookIds: string[] = [];
  readonly #attemptedEventIds: string[] = [];
  readonly #streamIds: string[] = [];
  /** A tenant that receives no other requests, because erasures fail while a tenant moves. */
  #movableTenantId = "";

  private constructor(tenant: Tenant) {
    this.tenant = tenant;
  }

  static async create(...[mode, where]: Parameters<typeof Tenant.create>): Promise<KnownTenant> {
    const known = new KnownTenant(await Tenant.create(mode, where));
    for (let n = 0; n < tokensPerTenant; n += 1) {
      known.tokens.push(await known.tenant.tokenWith(permissions));
    }
    for (let n = 0; n < initialUsers; n += 1) {
      const user = await User.withTotp(known.tenant);
      const { externalId, id, secret } = user;
      const backupCodes = await user.backupCodes();
      const { assessment_id } = await user.assess();
      const added = known.#addUser({ externalId, id });
      Object.assign(added, { secret, backupCodes });
      added.assessmentIds.push(assessment_id);
    }
    for (let n = 0; n < usersWithPasskey; n += 1) {
      const user = await User.provision(known.tenant);
      const { passkeyId } = await givePasskey(user);
      known.#addUser(user).passkeyIds.push(passkeyId);
    }
    for (let n = 0; n < usersWithDevice; n += 1) {
      const user = await User.withTotp(known.tenant);
      const { id: authenticatorId } = await user.addAuthenticator();
      const remember = { remember_device: { days: 30 } };
      const { body } = await verifyWith(user, user.code(Date.now()), remember);
      const added = known.#addUser(user);
      added.authenticatorIds.push(authenticatorId);
      added.deviceIds.push(body.device.id);
    }
    // They may register a passkey without a verification.
    for (let n = 0; n < usersWithoutFactor; n += 1) {
      known.#addUser(await User.provision(known.tenant));
    }
    for (let n = 0; n < attemptedWebhooks; n += 1) {
      const { webhookId, eventId } = await giveAttempt(known.tenant);
      known.#webhookIds.push(webhookId);
      known.#attemptedEventIds.push(eventId);
    }
    for (let n = 0; n < initialStreams; n += 1) {
      const { id } = await createStream(known.tenant, { url: "https://siem.example.com/in" });
      known.#streamIds.push(id);
    }
    known.#movableTenantId = (await Tenant.create(mode)).id;
    const { events } = (await known.tenant.send("GET", "/v1/audit/events?limit=100")).body;
    for (const { id } of events) known.#eventIds.push(id);
    return known;
  }

  #addUser({ externalId, id }: Pick<KnownUser, "externalId" | "id">): KnownUser {
    const user: KnownUser = {
      externalId,
      id,
      backupCodes: [],
      assessmentIds: [],
      passkeyIds: [],
      authenticatorIds: [],
      deviceIds: [],
    };
    this.#users.push(user);
    return user;
  }

  /** @param at time of the codes, Unix ms */
  valueOf(name: KnownName, subject: number, at: number): string {
    const user = pick(this.#users, subject);
    switch (name) {
      case "externalId":
        return user?.externalId ?? "unknown-user";
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
      case "ownTenantId":
        return this.tenant.id;
      case "movableTenantId":
        return this.#movableTenantId;
      case "eventId":
        return pick(this.#eventIds, subject) ?? "0".repeat(24);
      case "passkeyId":
        return pick(user?.passkeyIds ?? [], subject) ?? "0".repeat(24);
      case "authenticatorId":
        return pick(user?.authenticatorIds ?? [], subject) ?? "0".repeat(24);
      case "webhookId":
        return pick(this.#webhookIds, subject) ?? "0".repeat(24);
      case "attemptedEventId":
        return pick(this.#attemptedEventIds, subject) ?? "0".repeat(24);
      case "streamId":
        return pick(this.#streamIds, subject) ?? "0".repeat(24);
      case "deviceId":
        return pick(user?.deviceIds ?? [], subject) ?? "0".repeat(24);
    }
  }

  /** Stores the ids and secrets that a successful answer of the route contains. */
  updateFrom(route: string, body: Answer["body"], url: URL, sent: Uint8Array | undefined): void {
    const externalId = url.searchParams.get("externalUserId");
    const user = this.#users.find((one) => one.externalId === externalId);
    switch (route) {
      case "provisionUser": {
        const { id, external_id } = body.user;
        this.#addUser({ externalId: external_id, id });
        break;
      }
      case "configureOtp":
        if (user !== undefined) user.secret = body.user.new_otp_secret;
        break;
      case "addAuthenticator":
        user?.authenticatorIds.unshift(body.authenticator.id);
        break;
      case "regenerateBackupCodes":
        if (user !== undefined) user.backupCodes = body.user.backupCodes;
        break;
      case "eraseUser":
      case "eraseTenantUser":
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
      case "revokeToken":
      case "revokeTenantToken": {
        const id = url.pathname.split("/").at(-1) ?? "";
        if (this.#tokenIds.includes(id)) this.#tokenIds.splice(this.#tokenIds.indexOf(id), 1);
        break;
      }
      case "createWebhook":
        this.#webhookIds.push(body.webhook.id);
        break;
      case "createStream":
        this.#streamIds.push(body.stream.id);
        break;
      case "removeWebhook":
      case "removeStream": {
        const ids = route === "removeStream" ? this.#streamIds : this.#webhookIds;
        const index = ids.indexOf(url.pathname.split("/").at(-1) ?? "");
        if (index !== -1) ids.splice(index, 1);
        if (route === "removeWebhook" && index !== -1) this.#attemptedEventIds.splice(index, 1);
        break;
      }
      case "listAuditEvents":
        for (const event of body.events) this.#eventIds.push(event.id);
        break;
    }
    for (const ids of [this.#eventIds, this.#tokenIds]) {
      if (ids.length > maxKnownIds) ids.splice(0, ids.length - maxKnownIds);
    }
  }
}

export interface Bearer {
  /** The tenant whose ids and codes are sent. */
  readonly target: KnownTenant;
  /** The tenant that owns the token. */
  readonly owner: KnownTenant;
  /** The whole header; undefined when the request has none. */
  readonly authorization: string | undefined;
  readonly isEntitled: (access: string) => boolean;
  readonly mode: "live" | "test";
}

export class Known {
  readonly #tests: readonly KnownTenant[];
  readonly #live: KnownTenant;
  readonly #narrow: readonly { readonly permission: string; readonly token: string }[];
  readonly #expired: string;
  readonly #revoked: string;

  private constructor(
    tests: readonly KnownTenant[],
    live: KnownTenant,
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
    const tests = [
      await KnownTenant.create("test"),
      await KnownTenant.create("test", { shard: 1 }),
    ];
    const live = await KnownTenant.create("live", { jurisdiction: "eu" });
    const { tenant } = live;
    const narrow = [];
    for (const permission of permissions) {
      narrow.push({ permission, token: await tenant.tokenWith([permission]) });
    }
    const createToken = async (): Promise<{ id: string; secret: string }> => {
      const token = { name: "ended", permissions };
      return (await tenant.send("POST", "/v1/tokens", { token })).body.token;
    };
    const rotated = await createToken();
    const overlap = { token: { overlap_seconds: 0 } };
    await tenant.send("POST", `/v1/tokens/${rotated.id}/rotate`, overlap);
    const revoked = await createToken();
    await tenant.send("DELETE", `/v1/tokens/${revoked.id}`);
    return new Known(tests, live, narrow, [rotated.secret, revoked.secret]);
  }

  bearerFor(credential: Credential, subject: number): Bearer {
    const test = pick(this.#tests, subject) ?? this.#live;
    const tokenOf = (known: KnownTenant) => pick(known.tokens, subject >> 4) ?? "";
    const isForTenants = (access: string) => access !== "operator";
    const isPublic = (access: string) => access === "public";
    const ofTest = { target: test, owner: test, mode: "test", isEntitled: isPublic } as const;
    const ofLive = { target: this.#live, owner: this.#live, mode: "live" } as const;
    switch (credential) {
      case "right":
        return { ...ofTest, authorization: `Bearer ${tokenOf(test)}`, isEntitled: isForTenants };
      case "live": {
        const authorization = `bearer  ${tokenOf(this.#live)}`;
        return { ...ofLive, authorization, isEntitled: isForTenants };
      }
      case "stranger": {
        // A valid token of one tenant, with the ids of another.
        const authorization = `Bearer ${tokenOf(this.#live)}`;
        return { ...ofLive, target: test, authorization, isEntitled: isForTenants };
      }
      case "narrow": {
        const { permission, token: secret } = pick(this.#narrow, subject) ?? {};
        const included = permission?.replace(/^(tokens|settings):write$/, "$1:read");
        const isEntitled = (access: string) =>
          [permission, included, "any token"].includes(access) || isPublic(access);
        const authorization = `Bearer ${secret}`;
        return { ...ofLive, authorization, isEntitled };
      }
      case "operator": {
        const isEntitled = (access: string) => access === "operator" || isPublic(access);
        const authorization = `Bearer ${env.OPERATOR_TOKEN}`;
        return { ...ofTest, mode: "live", authorization, isEntitled };
      }
      case "expired":
        return { ...ofTest, authorization: `Bearer ${this.#expired}` };
      case "revoked":
        return { ...ofTest, authorization: `Bearer ${this.#revoked}` };
      case "mistyped":
        return { ...ofTest, authorization: `Bearer ${tokenOf(test).slice(0, -1)}` };
      case "garbage": {
        const texts = ["", "Bearer", "Bearer \t", "Basic dTpw", "Bearer a b", "x".repeat(9_000)];
        return { ...ofTest, authorization: pick(texts, subject) };
      }
      case "none":
        return { ...ofTest, authorization: undefined };
    }
  }
}
