/** Sentinel learns a user's habits, over HTTP with real guards and a real D1. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { fireAlarm, guardOf, inspectGuard, loseStorage } from "../support/guard.ts";
import { readContents } from "../support/stored-evidence.ts";

const hour = 60 * 60 * 1000;
const day = 24 * hour;
const start = Date.parse("2026-03-02T09:00:00Z");

const desk = {
  ip: "84.208.20.110",
  ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
};
const thief = {
  ip: "177.38.4.9",
  ua: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
};

/** A user with a test clock. */
class Person {
  readonly user: User;

  private constructor(user: User) {
    this.user = user;
  }

  static async create(tenant?: Tenant): Promise<Person> {
    const own = tenant ?? (await Tenant.create());
    own.clock ??= new Date(start).toISOString();
    return new Person(await User.withTotp(own));
  }

  at(time: number): this {
    this.user.tenant.clock = new Date(time).toISOString();
    return this;
  }

  /** Assesses the session and verifies a code with it. */
  async login(time: number, context: object = desk): Promise<string> {
    const { assessment_id: id } = await this.at(time).user.assess(context);
    const { status } = await this.user.verify(this.user.code(time), undefined, id);
    expect(status).toBe(200);
    return id;
  }

  async loginDaily(count: number): Promise<number> {
    for (let n = 0; n < count; n += 1) await this.login(start + n * day);
    return start + count * day;
  }

  async scoreAt(time: number, context: object): Promise<number> {
    return (await this.at(time).user.discover(context)).body.risk_score;
  }
}

async function storedVerdicts(user: User) {
  const { results } = await env.DB.prepare(
    "SELECT id, verdict, verdict_source FROM assessments WHERE identity_id = ? ORDER BY id",
  )
    .bind(user.id)
    .all();
  return results;
}

describe("Sentinel", () => {
  it("learns the sessions in which a code was verified", async () => {
    const person = await Person.create();
    const next = await person.loginDaily(8);
    const usual = (await person.at(next).user.discover(desk)).body;
    expect(usual.risk_score).toBeLessThan(0.02);
    const foreign = (await person.at(next + hour).user.discover(thief)).body;
    expect(foreign.risk_score).toBeGreaterThan(0.25);
    const signals = foreign.reasons.map(({ signal }: { signal: string }) => signal);
    expect(signals).toEqual(expect.arrayContaining(["network_history", "agent_history"]));
  });

  it("learns nothing for the user from unconfirmed sessions, however many there are", async () => {
    const person = await Person.create();
    const next = await person.loginDaily(8);
    for (let n = 0; n < 8; n += 1) await person.scoreAt(next + n * hour, thief);
    const before = await person.scoreAt(next + day, thief);
    // Only the usual hour speaks for the user.
    expect(before).toBeGreaterThan(0.03);
  });

  it("learns nothing from a wrong code or from a code without an assessment id", async () => {
    const person = await Person.create();
    const { user } = person;
    const { assessment_id: id } = await person.at(start).user.assess(thief);
    expect((await user.verify(user.wrongCode(start), undefined, id)).status).toBe(422);
    expect((await user.verify(user.code(start))).status).toBe(200);
    await user.events();
    expect(await storedVerdicts(user)).toMatchObject([{ id, verdict: null }]);
    // The thief was allowed, and nobody has reported it yet. A day later it is weakly confirmed.
    expect(await person.scoreAt(start + day - 1, desk)).toBe(0.05);
  });

  it("accepts a right code with an unknown assessment id, and refuses another user's assessment id", async () => {
    const person = await Person.create();
    const { user } = person;
    const unknown = `${"0".repeat(24)}${user.id}`;
    expect((await user.verify(user.code(start), undefined, unknown)).status).toBe(200);
    const other = await Person.create(user.tenant);
    const { assessment_id: theirs } = await other.at(start + hour).user.assess(desk);
    const answer = await user.verify(user.code(start + hour), undefined, theirs);
    expect(answer.status).toBe(400);
    expect(answer.body.issues).toMatchObject([{ path: "otp.assessment_id" }]);
    // The refused request does not count as an attempt and does not spend the code.
    expect((await user.verify(user.code(start + hour))).status).toBe(200);
  });

  it("learns a session that the tenant reports as legitimate, and no longer uses one that it reports as fraud", async () => {
    const person = await Person.create();
    const { user } = person;
    const { assessment_id: id } = await person.at(start).user.assess(desk);
    expect((await user.sendFeedback(id, "legitimate")).status).toBe(204);
    expect(await person.scoreAt(start + day, desk)).toBeLessThan(0.05);
    expect((await user.sendFeedback(id, "fraud")).status).toBe(204);
    const again = (await person.at(start + day + hour).user.discover(desk)).body;
    expect(again.risk_score).toBeGreaterThan(0.5);
    expect(again.reasons[0].signal).toBe("reported_fraud");
    await user.events();
    expect(await storedVerdicts(user)).toMatchObject([
      { id, verdict: "fraud", verdict_source: "feedback" },
      { verdict: null },
      { verdict: null },
    ]);
  });

  it("keeps a report of fraud when a code is verified in the session", async () => {
    const person = await Person.create();
    const { user } = person;
    const { assessment_id: id } = await person.at(start).user.assess(thief);
    await user.sendFeedback(id, "fraud");
    expect((await user.verify(user.code(start), undefined, id)).status).toBe(200);
    expect(await person.scoreAt(start + hour, thief)).toBeGreaterThan(0.5);
  });

  it("finds a session in D1 when its feedback arrives weeks later", async () => {
    const person = await Person.create();
    const { user } = person;
    const { assessment_id: id } = await person.at(start).user.assess(desk);
    await user.events();
    await person.scoreAt(start + 14 * day, thief);
    expect((await user.sendFeedback(id, "legitimate")).status).toBe(204);
    const { body } = await person.at(start + 15 * day).user.discover(desk);
    expect(body.reasons.map(({ signal }: { signal: string }) => signal)).toContain(
      "network_history",
    );
  });

  it("restores what it learned when the guard has lost its storage", async () => {
    const person = await Person.create();
    const next = await person.loginDaily(4);
    await person.user.events();
    const before = await person.scoreAt(next, desk);
    await person.user.events();
    await loseStorage(person.user);
    expect(await person.scoreAt(next, desk)).toBeCloseTo(before, 3);
  });

  it("stores sessions without address or agent, and deletes them on erasure", async () => {
    const person = await Person.create();
    const { user } = person;
    await person.loginDaily(2);
    const rows = await runInDurableObject(guardOf(user), (_guard, { storage }) =>
      storage.sql.exec("SELECT * FROM sessions").toArray(),
    );
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toMatch(/84\.208|Chrome\/|Mozilla/);
    await user.tenant.send("DELETE", user.path());
    expect(await storedVerdicts(user)).toEqual([]);
    expect((await inspectGuard(user)).tables).toEqual([]);
  });

  it("knows an IPv6 network by its /64, whatever the privacy address is", async () => {
    const person = await Person.create();
    const home = (host: string) => ({ ...desk, ip: `2a02:3035:600:12:${host}` });
    await person.login(start, home("a:b:c:d"));
    await person.login(start + day, home("4e:1:2:3"));
    const detailAt = async (context: object) => {
      const { body } = await person.at(start + 2 * day).user.discover(context);
      return body.reasons.find((one: { signal: string }) => one.signal === "network_history")
        ?.detail;
    };
    expect(await detailAt(home("99:99:99:99"))).toMatch(
      /^Known pool of addresses, address block and address, /,
    );
    const nextDoor = { ...desk, ip: "2a02:3035:600:13:a:b:c:d" };
    expect(await detailAt(nextDoor)).toMatch(
      /^Known pool of addresses and address block, new address, /,
    );
    await fireAlarm(person.user);
    const contents = await readContents(person.user.tenant.id, person.user.id);
    expect(contents.length).toBeGreaterThan(0);
    expect(JSON.stringify(contents)).not.toContain("3035");
  });

  it("neither shows another tenant's assessments nor accepts feedback on them", async () => {
    const person = await Person.create();
    const { assessment_id: id } = await person.at(start).user.assess(desk);
    await person.user.events();
    const otherTenant = await Tenant.create();
    const answer = await otherTenant.send("POST", "/v1/sentinel/feedback", {
      feedback: { assessment_id: id, outcome: "fraud" },
    });
    expect(answer.body.code).toBe("assessment_not_found");
    const { body } = await otherTenant.send("GET", "/v1/sentinel/assessments");
    expect(body.assessments).toEqual([]);
    expect(await storedVerdicts(person.user)).toMatchObject([{ verdict: null }]);
  });

  it("refuses feedback on an assessment that does not exist, and learns nothing from it", async () => {
    const { user } = await Person.create();
    const { assessment_id: id } = await user.assess(desk);
    const other = `${id.startsWith("0") ? "1" : "0"}${id.slice(1)}`;
    const answer = await user.sendFeedback(other, "fraud");
    expect([answer.status, answer.body.code]).toEqual([404, "assessment_not_found"]);
    await fireAlarm(user);
    expect(await storedVerdicts(user)).toMatchObject([{ verdict: null }]);
  });

  it("refuses malformed feedback", async () => {
    const { user } = await Person.create();
    const { assessment_id: id } = await user.assess(desk);
    for (const feedback of [
      { assessment_id: id, outcome: "maybe" },
      { assessment_id: id.slice(1), outcome: "fraud" },
      { outcome: "fraud" },
      { assessment_id: id, outcome: "fraud", note: "x" },
    ]) {
      const answer = await user.tenant.send("POST", "/v1/sentinel/feedback", { feedback });
      expect(answer.status).toBe(400);
    }
    await fireAlarm(user);
    expect(await storedVerdicts(user)).toMatchObject([{ verdict: null }]);
  });
});
