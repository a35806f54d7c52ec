/** Promise 7: lists, cursors and filters show a tenant nothing of another tenant. */
import { beforeEach, describe, expect, it } from "vitest";
import { send, type Tenant, User } from "../support/client.ts";
import { type RequestTarget, requestTo, unknownUser } from "../support/requests.ts";
import { protectedOperations } from "./operations.ts";
import { comparablePartOf, TwoTenants } from "./two-tenants.ts";

let world: TwoTenants;
let victim: Tenant;
let stranger: Tenant;
let user: User;
let theirs: RequestTarget;

beforeEach(async () => {
  world = await TwoTenants.create();
  ({ victim, stranger, user, theirs } = world);
});

describe.each(
  protectedOperations.filter(({ method, isForOperator }) => method === "GET" && !isForOperator),
)("Promise 7: $method $template", ({ name }) => {
  it("shows a stranger nothing of another tenant", async () => {
    const mine = await User.provision(stranger, "a stranger's own");
    await mine.events();
    const { path } = requestTo(name, { ...theirs, externalId: mine.externalId });
    const { body } = await stranger.send("GET", path);
    const text = JSON.stringify(body);
    for (const secret of [
      victim.id,
      user.id,
      user.externalId,
      theirs.eventId,
      theirs.assessmentId,
    ]) {
      expect(text).not.toContain(secret);
    }
  });
});

describe("Promise 7, on indirect paths", () => {
  it.each([
    ["the directory's cursor", "/v1/idp/users?after=", "id"],
    ["the tokens' cursor", "/v1/tokens?after=", "tokenId"],
    ["the trail's cursor", "/v1/audit/events?after=", "eventId"],
    ["the trail's filter by user", "/v1/audit/events?externalUserId=", "externalId"],
    ["the assessments' cursor", "/v1/sentinel/assessments?after=", "assessmentId"],
    ["the assessments' filter by user", "/v1/sentinel/assessments?externalUserId=", "externalId"],
  ] as const)("%s treats a foreign id like an unknown one", async (_, path, field) => {
    const foreign = await stranger.send("GET", path + encodeURIComponent(theirs[field]));
    const unknown = await stranger.send("GET", path + encodeURIComponent(unknownUser[field]));
    // The unknown cursor may precede the stranger's own data, so only the status is compared.
    expect(foreign.status).toBe(unknown.status);
    expect(JSON.stringify(foreign.body)).not.toContain(user.id);
  });

  it("provisioning another tenant's external_id succeeds like provisioning a new one", async () => {
    const answers = [];
    for (const external_id of [user.externalId, "unknown to all tenants"]) {
      answers.push(await stranger.send("POST", "/v1/idp/users", { user: { external_id } }));
    }
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(answers[0]?.body.user.id).not.toBe(user.id);
    expect(await user.profile()).toMatchObject({ has_otp: true, backup_codes_remaining: 10 });
  });

  it("a code that names another tenant's assessment gets the same answer as one that names none", async () => {
    const mine = await User.withTotp(stranger, user.externalId);
    const code = mine.wrongCode(Date.now());
    const foreign = await mine.verify(code, undefined, theirs.assessmentId);
    const unknown = await mine.verify(code, undefined, unknownUser.assessmentId);
    expect(foreign.status).toBe(400);
    expect(comparablePartOf(foreign)).toEqual(comparablePartOf(unknown));
    expect((await mine.profile()).failed_attempts).toBe(0);
  });

  it("40 concurrent guesses for a namesake neither lock nor change the other tenant's user", async () => {
    const namesake = await User.withTotp(stranger, user.externalId);
    const before = await world.readAsOwner();
    const wrong = namesake.wrongCode(Date.now());
    await Promise.all(Array.from({ length: 40 }, () => namesake.verify(wrong)));
    expect((await namesake.profile()).is_locked).toBe(true);
    expect(await world.readAsOwner()).toBe(before);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });

  it("no header and no query field switches to another tenant", async () => {
    for (const header of [
      "X-Tenant-Id",
      "Tenant",
      "X-Saas-Client-Id",
      "X-Forwarded-Host",
      "Cookie",
    ]) {
      const { status } = await send("GET", user.path(), {
        token: stranger.token,
        headers: { [header]: victim.id },
      });
      expect(status).toBe(404);
    }
    for (const field of ["tenant_id", "saas_client_id"]) {
      const { status } = await stranger.send("GET", `${user.path()}&${field}=${victim.id}`);
      expect(status).toBe(400);
    }
  });
});
