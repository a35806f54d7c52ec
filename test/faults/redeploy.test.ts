/** Guards restart with their storage during a flood of logins, as they do in a deployment. */
import { abortAllDurableObjects, evictAllDurableObjects } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";

const flood = 60;
const requestsBetween = 5;

function count(answers: readonly Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length;
}

/** Sends the flood and disturbs the guards after every few requests, while some are under way. */
async function sendFlood(request: () => Promise<Answer>, disturb: () => Promise<void>) {
  const answers: Promise<Answer>[] = [];
  for (let sent = 1; sent <= flood; sent += 1) {
    answers.push(request());
    if (sent % requestsBetween === 0) await disturb();
  }
  return await Promise.all(answers);
}

describe.each([
  { how: "are evicted", disturb: () => evictAllDurableObjects() },
  { how: "are cut off", disturb: () => abortAllDurableObjects() },
])("Guards that $how repeatedly", ({ disturb }) => {
  it("during 60 wrong codes count five failures and lock the user once", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const wrong = user.wrongCode(Date.now());
    const answers = await sendFlood(() => user.verify(wrong), disturb);
    expect(count(answers, 422) + count(answers, 423) + count(answers, 503)).toBe(flood);
    // A code without an answer may or may not have been evaluated. These codes complete the five.
    for (let more = 0; more < 5; more += 1) answers.push(await user.verify(wrong));
    expect(count(answers, 422)).toBeLessThanOrEqual(5);
    expect((await user.verify(wrong)).status).toBe(423);
    expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
    await drainOutbox(user);
    const events = await readTrail(tenant);
    expect(events.filter((event) => event.startsWith("otp.verified failure"))).toHaveLength(5);
    expect(events.filter((event) => event.startsWith("user.locked"))).toHaveLength(1);
  });

  it("during 60 requests with the same right code accept it at most once", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const code = user.code(Date.now());
    const answers = await sendFlood(() => user.verify(code), disturb);
    await user.verify(code);
    await drainOutbox(user);
    const events = await readTrail(tenant);
    expect(events.filter((event) => event === "otp.verified success")).toHaveLength(1);
    expect(count(answers, 200)).toBeLessThanOrEqual(1);
  });
});
