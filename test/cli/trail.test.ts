/** `edge-idp trail tail`: it shows every event once and in order, whatever the network does. */
import { env } from "cloudflare:workers";
import { type AuditEvent, type EdgeIdp, IdpError } from "@edge-idp/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { type EventFilter, isShown } from "../../packages/cli/src/trail/filter.ts";
import { findStart, followTrail } from "../../packages/cli/src/trail/follow.ts";
import { formatEvent } from "../../packages/cli/src/trail/format-event.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { Tenant } from "../support/client.ts";
import { answerWithService, connectWith } from "./support/tenant-client.ts";

const dayMs = 24 * 60 * 60 * 1000;
const running = new AbortController().signal;

function follow(idp: EdgeIdp, pause: () => Promise<void> = async () => {}) {
  return { idp, pause, signal: running };
}

async function take(events: AsyncGenerator<AuditEvent>, count: number): Promise<AuditEvent[]> {
  const taken: AuditEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) throw new Error("The trail ended");
    taken.push(value);
  }
  return taken;
}

/** Takes events up to the one about this user. Each export that a tail makes is an event too. */
async function takeUntil(
  events: AsyncGenerator<AuditEvent>,
  externalId: string,
): Promise<AuditEvent[]> {
  const taken: AuditEvent[] = [];
  while (taken.at(-1)?.target.external_id !== externalId) taken.push(...(await take(events, 1)));
  return taken;
}

const indexesOf = (events: readonly AuditEvent[]) => events.map(({ leaf_index }) => leaf_index);
const namesOf = (events: readonly AuditEvent[]) => events.map(({ target }) => target.external_id);
const usersOf = (events: readonly AuditEvent[]) => namesOf(events).filter((name) => name !== null);

describe("Following a trail", () => {
  it("begins at the end, and shows events as they arrive", async () => {
    const tenant = await Tenant.create();
    const idp = connectWith(tenant.token);
    const names = ["first", "second"];
    const start = await findStart(follow(idp), undefined);
    const events = followTrail(
      follow(idp, async () => {
        const name = names.shift();
        if (name !== undefined) await idp.users.provision(name);
      }),
      start,
    );
    expect(usersOf(await takeUntil(events, "second"))).toEqual(["first", "second"]);
  });

  it("goes on after an outage, and misses and repeats nothing", async () => {
    const tenant = await Tenant.create();
    let failures = 0;
    const idp = connectWith(tenant.token, async (request) => {
      if (failures === 0) return await answerWithService(request);
      failures -= 1;
      throw new TypeError("connection refused");
    });
    const start = await findStart(follow(idp), undefined);
    const events = followTrail(follow(idp), start);
    await idp.users.provision("before");
    const before = await take(events, 1);
    await idp.users.provision("meanwhile");
    failures = 3;
    const all = [...before, ...(await takeUntil(events, "meanwhile"))];
    expect(failures).toBe(0);
    expect(usersOf(all)).toEqual(["before", "meanwhile"]);
    expect(indexesOf(all)).toEqual(all.map((_, index) => start + index));
  });

  it("goes on after the last whole line of an answer that was cut off", async () => {
    const tenant = await Tenant.create();
    let cuts = 2;
    const idp = connectWith(tenant.token, async (request) => {
      const answer = await answerWithService(request);
      if (cuts === 0 || !new URL(request.url).pathname.endsWith("/export")) return answer;
      cuts -= 1;
      const text = await answer.text();
      return new Response(text.slice(0, text.indexOf("\n") + 20));
    });
    for (const name of ["a", "b", "c", "d"]) await idp.users.provision(name);
    const { checkpoint } = await idp.audit.checkpoint();
    const events = await take(followTrail(follow(idp), 0), checkpoint.tree_size);
    expect(cuts).toBe(0);
    expect(indexesOf(events)).toEqual(events.map((_, index) => index));
  });

  it("ends with the error of a token that the service does not accept", async () => {
    const tenant = await Tenant.create();
    const idp = connectWith(`${tenant.token.slice(0, -1)}!`);
    await expect(findStart(follow(idp), undefined)).rejects.toThrow(IdpError);
    await expect(followTrail(follow(idp), 0).next()).rejects.toThrow(IdpError);
  });

  it("reports a trail that has become shorter", async () => {
    const tenant = await Tenant.create();
    const idp = connectWith(tenant.token);
    const { checkpoint } = await idp.audit.checkpoint();
    const events = followTrail(follow(idp), checkpoint.tree_size + 1);
    await expect(events.next()).rejects.toThrow(/restored to an earlier time, or the log was cut/);
  });

  it("since a time begins before the first event at that time", async () => {
    const tenant = await Tenant.create();
    const idp = connectWith(tenant.token);
    await idp.users.provision("early");
    await idp.audit.checkpoint();
    await witnessHeads(env, Date.now());
    await idp.users.provision("late");
    const [late] = await take(
      idp.audit.events({ action: "user.provisioned" })[Symbol.asyncIterator](),
      1,
    );
    const since = Date.parse(late?.at ?? "");
    // Also when a newer tree has the event already.
    const { checkpoint } = await idp.audit.checkpoint();
    await witnessHeads(env, Date.now() + dayMs);
    const start = await findStart(follow(idp), since);
    const all = await take(followTrail(follow(idp), start), checkpoint.tree_size - start);
    const shown = all.filter((event) => isShown(event, { since }));
    expect(namesOf(shown)).toContain("late");
    expect(shown.every(({ at }) => Date.parse(at) >= since)).toBe(true);
  });
});

describe("The filters", () => {
  let idp: EdgeIdp;
  let all: AuditEvent[];
  let tokenId: string;

  beforeAll(async () => {
    const tenant = await Tenant.create();
    idp = connectWith(tenant.token);
    for (const name of ["user", "other"]) await idp.users.provision(name);
    await idp.otp.configure("user", { issuer_name: "Acme", account_name: "user" });
    await expect(idp.otp.verify("user", "000000")).rejects.toThrow(IdpError);
    await idp.sentinel.assess("user", { ip: "1.1.1.1", ua: "curl/8.9" });
    await idp.sentinel.assess("other", { ip: "9.9.9.9", ua: "curl/8.9" });
    // The list of one user has everything that its guard has recorded.
    for (const externalUserId of ["user", "other"])
      await idp.audit.events({ externalUserId }).page();
    tokenId = (await idp.tokens.own()).id;
    const { checkpoint } = await idp.audit.checkpoint();
    all = await take(followTrail(follow(idp), 0), checkpoint.tree_size);
  });

  it.each<[string, () => EventFilter, () => Parameters<EdgeIdp["audit"]["events"]>[0]]>([
    ["action", () => ({ action: "user.provisioned" }), () => ({ action: "user.provisioned" })],
    ["outcome", () => ({ outcome: "failure" }), () => ({ outcome: "failure" })],
    ["reason", () => ({ reason: "invalid_code" }), () => ({ reason: "invalid_code" })],
    ["operator", () => ({ actor: "operator" }), () => ({ actor: "operator" })],
    ["token", () => ({ actor: tokenId }), () => ({ actor: tokenId })],
    ["user", () => ({ user: "other" }), () => ({ externalUserId: "other" })],
    ["address", () => ({ address: "::ffff:9.9.9.9" }), () => ({ address: "9.9.9.9" })],
    [
      "action and user",
      () => ({ action: "user.provisioned", user: "other" }),
      () => ({ action: "user.provisioned", externalUserId: "other" }),
    ],
  ])("by %s show what the API lists", async (_title, filter, query) => {
    const listed: string[] = [];
    for await (const { id, leaf_index } of idp.audit.events(query())) {
      // The export that read `all` is a later event.
      if (leaf_index < all.length) listed.push(id);
    }
    const shown = all.filter((event) => isShown(event, filter())).map(({ id }) => id);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.length).toBeLessThan(all.length);
    expect(shown.toSorted()).toEqual(listed.toSorted());
  });

  it("print each event on a line in which a user's id imitates no other field", () => {
    const [event] = all;
    if (event === undefined) throw new Error("No event");
    const external_id = 'a" actor="operator\u202e';
    const line = formatEvent({ ...event, target: { ...event.target, external_id } });
    expect(line).toContain('user="a\\" actor=\\"operator\\u{202e}"');
    expect(line).not.toContain("\u202e");
    expect(line.split("\n")).toHaveLength(1);
  });
});
