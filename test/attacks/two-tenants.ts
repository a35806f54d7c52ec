/** Two tenants, and a user that only one of them knows. */
import { expect } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { listDevices, rememberDevice } from "../support/devices.ts";
import { givePasskey, setUpPasskeys } from "../support/passkeys.ts";
import { createWebhook } from "../support/receiver.ts";
import type { RequestTarget } from "../support/requests.ts";
import { createStream } from "../support/stream-receiver.ts";
import type { TenantLocation } from "./tenant-locations.ts";

export class TwoTenants {
  readonly victim: Tenant;
  readonly stranger: Tenant;
  readonly user: User;
  /** The ids of the victim's user, token, event, assessment and passkey. */
  readonly theirs: RequestTarget;

  private constructor(victim: Tenant, stranger: Tenant, user: User, theirs: RequestTarget) {
    this.victim = victim;
    this.stranger = stranger;
    this.user = user;
    this.theirs = theirs;
  }

  /** @param location the location of both tenants */
  static async create(location?: TenantLocation): Promise<TwoTenants> {
    const create = location?.tenant ?? (() => Tenant.create());
    const victim = await create();
    const stranger = await create();
    await setUpPasskeys(stranger);
    const user = await User.provision(victim, "known only to its tenant");
    const { passkeyId } = await givePasskey(user);
    await user.configure();
    const { id: authenticatorId } = await user.addAuthenticator();
    const { id: deviceId } = await rememberDevice(user, Date.now() - 60_000);
    victim.clock = undefined;
    await user.backupCodes();
    const { assessment_id: assessmentId } = await user.assess();
    const [{ id: eventId }] = await user.events();
    const [{ id: tokenId }] = (await victim.send("GET", "/v1/tokens")).body.tokens;
    const { id: webhookId } = await createWebhook(victim, { url: "https://hooks.example.com" });
    const { id: streamId } = await createStream(victim, { url: "https://siem.example.com" });
    const { externalId, id } = user;
    return new TwoTenants(victim, stranger, user, {
      tenantId: victim.id,
      externalId,
      id,
      tokenId,
      eventId,
      assessmentId,
      passkeyId,
      authenticatorId,
      deviceId,
      webhookId,
      streamId,
    });
  }

  /** Everything that the owner can see, except when its token was last used. */
  async readAsOwner(): Promise<string> {
    const { user, victim } = this;
    const { tokens } = (await victim.send("GET", "/v1/tokens")).body;
    return JSON.stringify([
      await user.profile(),
      (await victim.send("GET", "/v1/idp/users")).body,
      (await victim.send("GET", "/v1/settings")).body,
      (await victim.send("GET", "/v1/sentinel/assessments")).body,
      await listDevices(user),
      tokens.map(({ last_used_at: _, ...token }: { last_used_at: string | null }) => token),
      await user.events(),
    ]);
  }
}

/** The answer without the parts that differ between any two requests. */
export function comparablePartOf({ status, body, headers }: Answer): object {
  const { request_id, ...rest } = body;
  expect(request_id).toBe(headers.get("X-Request-Id"));
  const others = [...headers].filter(([name]) => name !== "x-request-id");
  return { status, rest, headers: others };
}
