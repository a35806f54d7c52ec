/**
 * The queue refuses, hangs, loses, doubles, delays and turns round what it is given, two consumers have the
 * same message, and D1 fails meanwhile. Whatever it does, each event is told once, in its order.
 */

import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { cacheShard } from "../../src/db/shards.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/faults.ts";
import { fireAlarm, loseStorage, outboxLength } from "../support/guard.ts";
import { guardOperations, operationsNamed } from "../support/operations.ts";
import { brought, queueFails, queueFaults } from "../support/queue.ts";
import { moved, movedUpTo, relocate } from "../support/relocation.ts";
import { drained, trailOf } from "../support/settled.ts";
import { expectAgain, expectState, trialOf } from "../support/under-fault.ts";

const wait = { timeout: 20_000, interval: 20 };
const failure = "otp.verified failure invalid_code";
const faults = Object.keys(queueFaults) as (keyof typeof queueFaults)[];
/** They answer before D1 has heard of it. */
const undelivered = operationsNamed(
  "confirm",
  "verify a TOTP code",
  "verify a backup code",
  "discover",
);

afterEach(() => {
  vi.restoreAllMocks();
});

/** The messages, once there are as many. */
async function sentOf(sent: readonly unknown[], count: number): Promise<readonly unknown[]> {
  await vi.waitFor(() => expect(sent.length).toBeGreaterThanOrEqual(count), wait);
  return sent;
}

/** Two consumers have each of them at once, the newest first. */
async function broughtLate(sent: readonly unknown[]): Promise<void> {
  for (const message of sent.toReversed()) {
    expect(await Promise.all([brought([message]), brought([message])])).toEqual([0, 0]);
  }
}

describe.each(faults)("A queue that %s", (fault) => {
  it.each(undelivered)("has D1 hear of $name once, whenever it comes", async (operation) => {
    const trial = await trialOf(operation);
    const { done, after, again, afterAgain } = operation;
    const sent = queueFails(fault);
    expect((await trial.ready.act()).status).toBe(done.status);
    await sentOf(sent, 1);
    await expectState(trial, after, done.events);
    await expectAgain(trial, done.events);
    await broughtLate(sent);
    await expectState(trial, afterAgain ?? after, [...done.events, ...again.events]);
  });
});

describe("What D1 did not take before the answer", () => {
  const flushed = guardOperations.filter((operation) => !undelivered.includes(operation));

  it.each(flushed)("the queue brings to it: $name, once", async (operation) => {
    const trial = await trialOf(operation);
    const { user } = trial.ready;
    if (user === undefined) throw new Error("No guard has a part in this operation");
    const sent = queueFails("loses");
    const answer = await withD1Fault("fails on batches only", async () => {
      const given = await trial.ready.act();
      await sentOf(sent, 1);
      expect(await Promise.all([brought(sent), brought(sent)])).toEqual([1, 1]);
      return given;
    });
    expect(answer.status).toBe(operation.done.status);
    expect(await Promise.all([brought(sent), brought(sent)])).toEqual([0, 0]);
    expect(await outboxLength(user)).toBe(0);
    await expectState(trial, operation.after, operation.done.events);
    await expectAgain(trial, operation.done.events);
  });
});

/** A user of a tenant in `DB` of whom one failure lies in the queue. */
async function withOneSent() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await drained(user);
  const told = await trailOf(tenant);
  const sent = queueFails("loses");
  await user.verify(user.wrongCode(Date.now()));
  const [message] = await sentOf(sent, 1);
  return { tenant, user, told, sent, message };
}

describe("A message", () => {
  it("that comes while the guard delivers the same by itself is filed once", async () => {
    const { tenant, user, told, message } = await withOneSent();
    await user.verify(user.wrongCode(Date.now()));
    await Promise.all([fireAlarm(user), brought([message]), brought([message])]);
    expect(await outboxLength(user)).toBe(0);
    expect(await trailOf(tenant)).toEqual([...told, failure, failure]);
  });

  it("of a tenant that is moving waits, and is filed where the tenant is then", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { tenant, user, told, message } = await withOneSent();
    for (const phase of ["clearing", "copying", "comparing", "switching"]) {
      await movedUpTo(tenant, 1, phase);
      expect(await brought([message]), phase).toBe(1);
      expect(await outboxLength(user)).toBe(1);
    }
    await relocate(tenant, 1);
    cacheShard(env, tenant.id, 0, Date.now());
    expect(await brought([message])).toBe(0);
    expect(await outboxLength(user)).toBe(0);
    const events = [...told, failure, "tenant.relocated success"];
    expect(await trailOf(tenant)).toEqual(events);
    await moved(tenant, 1);
    expect(await brought([message])).toBe(0);
    expect(await trailOf(tenant)).toEqual(events);
  });

  it("of a guard that has lost its storage takes nothing from what it has now", async () => {
    const { tenant, user, told, message } = await withOneSent();
    await loseStorage(user);
    await user.verify(user.wrongCode(Date.now()));
    expect(await brought([message])).toBe(0);
    expect(await outboxLength(user)).toBe(1);
    await drained(user);
    expect(await trailOf(tenant)).toEqual([...told, failure, failure]);
  });

  it("of an earlier life of a name takes nothing from the next one", async () => {
    const { tenant, user, told, message } = await withOneSent();
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    await withD1Fault("fails on batches only", async () => {
      await User.provision(tenant, user.externalId);
    });
    expect(await brought([message])).toBe(0);
    expect(await outboxLength(user)).toBe(1);
    await drained(user);
    expect(await trailOf(tenant)).toEqual([
      ...[...told, failure],
      ...["user.erased success", "user.provisioned success"],
    ]);
    expect(await user.profile()).toMatchObject({ failed_attempts: 0, has_otp: false });
    expect((await tenant.send("GET", "/v1/idp/users")).body.users).toHaveLength(1);
  });
});
