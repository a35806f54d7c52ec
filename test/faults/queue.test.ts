/**
 * The queue refuses, hangs, loses, doubles, delays and turns round what it is given, two consumers have the
 * same message, and D1 fails meanwhile. Whatever it does, each event is told once, in its order.
 */

import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { cacheShard } from "../../src/db/shards.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { countOutboxRows, fireAlarm, loseStorage } from "../support/guard.ts";
import { findOperations, guardOperations } from "../support/operations.ts";
import { breakQueue, deliverMessages, queueFaults } from "../support/queue.ts";
import { relocate, relocateFully, relocateUpTo } from "../support/relocation.ts";
import { expectRepeat, expectState, prepareTrial } from "../support/under-fault.ts";

const wait = { timeout: 20_000, interval: 20 };
const failure = "otp.verified failure invalid_code";
const faults = Object.keys(queueFaults) as (keyof typeof queueFaults)[];
/** They answer before D1 has heard of it. */
const undelivered = findOperations(
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
    expect(await Promise.all([deliverMessages([message]), deliverMessages([message])])).toEqual([
      0, 0,
    ]);
  }
}

describe.each(faults)("A queue that %s", (fault) => {
  it.each(undelivered)("has D1 hear of $name once, whenever it comes", async (operation) => {
    const trial = await prepareTrial(operation);
    const { done, after, again, afterAgain } = operation;
    const sent = breakQueue(fault);
    expect((await trial.prepared.act()).status).toBe(done.status);
    await sentOf(sent, 1);
    await expectState(trial, after, done.events);
    await expectRepeat(trial, done.events);
    await broughtLate(sent);
    await expectState(trial, afterAgain ?? after, [...done.events, ...again.events]);
  });
});

describe("What D1 did not take before the answer", () => {
  const flushed = guardOperations.filter((operation) => !undelivered.includes(operation));

  it.each(flushed)("the queue brings to it: $name, once", async (operation) => {
    const trial = await prepareTrial(operation);
    const { user } = trial.prepared;
    if (user === undefined) throw new Error("No guard has a part in this operation");
    const sent = breakQueue("loses");
    const answer = await withD1Fault("fails on batches only", async () => {
      const given = await trial.prepared.act();
      await sentOf(sent, 1);
      expect(await Promise.all([deliverMessages(sent), deliverMessages(sent)])).toEqual([1, 1]);
      return given;
    });
    expect(answer.status).toBe(operation.done.status);
    expect(await Promise.all([deliverMessages(sent), deliverMessages(sent)])).toEqual([0, 0]);
    expect(await countOutboxRows(user)).toBe(0);
    await expectState(trial, operation.after, operation.done.events);
    await expectRepeat(trial, operation.done.events);
  });
});

/** A user of a tenant in `DB` of whom one failure lies in the queue. */
async function withOneSent() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await drainOutbox(user);
  const told = await readTrail(tenant);
  const sent = breakQueue("loses");
  await user.verify(user.wrongCode(Date.now()));
  const [message] = await sentOf(sent, 1);
  return { tenant, user, told, sent, message };
}

describe("A message", () => {
  it("that comes while the guard delivers the same by itself is filed once", async () => {
    const { tenant, user, told, message } = await withOneSent();
    await user.verify(user.wrongCode(Date.now()));
    await Promise.all([fireAlarm(user), deliverMessages([message]), deliverMessages([message])]);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await readTrail(tenant)).toEqual([...told, failure, failure]);
  });

  it("of a tenant that is moving waits, and is filed where the tenant is then", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { tenant, user, told, message } = await withOneSent();
    for (const phase of ["clearing", "copying", "comparing", "switching"]) {
      await relocateUpTo(tenant, 1, phase);
      expect(await deliverMessages([message]), phase).toBe(1);
      expect(await countOutboxRows(user)).toBe(1);
    }
    await relocate(tenant, 1);
    cacheShard(env, tenant.id, 0, Date.now());
    expect(await deliverMessages([message])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    const events = [...told, failure, "tenant.relocated success"];
    expect(await readTrail(tenant)).toEqual(events);
    await relocateFully(tenant, 1);
    expect(await deliverMessages([message])).toBe(0);
    expect(await readTrail(tenant)).toEqual(events);
  });

  it("of a guard that has lost its storage takes nothing from what it has now", async () => {
    const { tenant, user, told, message } = await withOneSent();
    await loseStorage(user);
    await user.verify(user.wrongCode(Date.now()));
    expect(await deliverMessages([message])).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    await drainOutbox(user);
    expect(await readTrail(tenant)).toEqual([...told, failure, failure]);
  });

  it("of an earlier life of a name takes nothing from the next one", async () => {
    const { tenant, user, told, message } = await withOneSent();
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    await withD1Fault("fails on batches only", async () => {
      await User.provision(tenant, user.externalId);
    });
    expect(await deliverMessages([message])).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    await drainOutbox(user);
    expect(await readTrail(tenant)).toEqual([
      ...[...told, failure],
      ...["user.erased success", "user.provisioned success"],
    ]);
    expect(await user.profile()).toMatchObject({ failed_attempts: 0, has_otp: false });
    expect((await tenant.send("GET", "/v1/idp/users")).body.users).toHaveLength(1);
  });
});
