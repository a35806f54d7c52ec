/**
 * The queue refuses, hangs, duplicates, delays and reorders messages, two consumers get the same message, and D1
 * fails meanwhile. In each case every event is reported once.
 */

import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { cacheShard } from "../../src/db/shards.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { withQuickDeadlines } from "../support/deadlines.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { countUndelivered, evict, fireAlarm, guardOf, loseStorage } from "../support/guard.ts";
import { findOperations, guardOperations } from "../support/operations.ts";
import {
  breakQueue,
  deliverMessages,
  holdMessages,
  provideQueue,
  queueFaults,
} from "../support/queue.ts";
import { relocate, relocateFully, relocateUpTo } from "../support/relocation.ts";
import { expectRepeat, expectState, prepareTrial } from "../support/under-fault.ts";

const wait = { timeout: 20_000, interval: 20 };
const failure = "otp.verified failure invalid_code";
const faults = Object.keys(queueFaults) as (keyof typeof queueFaults)[];
/** These operations answer before their events are in D1. */
const undeliveredOperations = findOperations(
  "confirm",
  "verify a TOTP code",
  "verify a backup code",
  "discover",
);

afterEach(() => {
  vi.restoreAllMocks();
});

/** Delivers each message to two consumers at once, the newest message first. */
async function deliverLate(sent: readonly unknown[]): Promise<void> {
  for (const message of sent.toReversed()) {
    expect(await Promise.all([deliverMessages([message]), deliverMessages([message])])).toEqual([
      0, 0,
    ]);
  }
}

describe.each(faults)("A queue that %s", (fault) => {
  it.each(undeliveredOperations)(
    "leaves the events of $name in D1 once, however late the message comes",
    async (operation) => {
      const trial = await prepareTrial(operation);
      const { done, after, again, afterAgain } = operation;
      const { act, user } = trial.prepared;
      if (user === undefined) throw new Error("This operation uses no guard");
      const sent = breakQueue(fault);
      const removeQueue = await provideQueue();
      await withQuickDeadlines(async () => {
        expect((await act()).status).toBe(done.status);
        await fireAlarm(user);
        await vi.waitFor(() => expect(sent.length).toBeGreaterThan(0), wait);
      });
      removeQueue();
      await vi.waitFor(() => expectState(trial, after, done.events), wait);
      await expectRepeat(trial, done.events);
      await deliverLate(sent);
      await expectState(trial, afterAgain ?? after, [...done.events, ...again.events]);
    },
  );
});

describe("An event that D1 did not store before the answer", () => {
  const deliveredOperations = guardOperations.filter(
    (operation) => !undeliveredOperations.includes(operation),
  );

  it.each(deliveredOperations)("is delivered once: $name", async (operation) => {
    const trial = await prepareTrial(operation);
    const { user } = trial.prepared;
    if (user === undefined) throw new Error("This operation uses no guard");
    const held = holdMessages();
    const removeQueue = await provideQueue();
    const answer = await withD1Fault("fails on batches only", trial.prepared.act);
    expect(answer.status).toBe(operation.done.status);
    await fireAlarm(user);
    removeQueue();
    expect(await Promise.all([deliverMessages(held), deliverMessages(held)])).toEqual([0, 0]);
    await expectState(trial, operation.after, operation.done.events);
    await expectRepeat(trial, operation.done.events);
  });
});

/** Creates a user of a tenant in `DB` with one failure in the queue. */
async function createUserWithSentFailure() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await drainOutbox(user);
  const earlier = await readTrail(tenant);
  const held = holdMessages();
  const removeQueue = await provideQueue();
  await user.verify(user.wrongCode(Date.now()));
  await fireAlarm(user);
  const [message] = await vi.waitFor(() => {
    expect(held).toHaveLength(1);
    return held;
  }, wait);
  removeQueue();
  return { tenant, user, earlier, message };
}

describe("A message", () => {
  it("that arrives while the guard delivers the same event itself is filed once", async () => {
    const { tenant, user, earlier, message } = await createUserWithSentFailure();
    // A guard that restarts delivers it again.
    await evict(user);
    await user.verify(user.wrongCode(Date.now()));
    const deliver = () => guardOf(user).deliver();
    await Promise.all([deliver(), deliverMessages([message]), deliverMessages([message])]);
    expect(await countUndelivered(user)).toBe(0);
    expect(await readTrail(tenant)).toEqual([...earlier, failure, failure]);
  });

  it("of a tenant under relocation is tried again, and is filed only in the new database", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { tenant, earlier, message } = await createUserWithSentFailure();
    for (const phase of ["clearing", "copying", "comparing", "switching"]) {
      await relocateUpTo(tenant, 1, phase);
      expect(await deliverMessages([message]), phase).toBe(1);
    }
    await relocate(tenant, 1);
    cacheShard(env, tenant.id, 0, Date.now());
    expect(await deliverMessages([message])).toBe(0);
    const events = [...earlier, failure, "tenant.relocated success"];
    expect((await readTrail(tenant)).toSorted()).toEqual(events.toSorted());
    await relocateFully(tenant, 1);
    expect(await deliverMessages([message])).toBe(0);
    expect((await readTrail(tenant)).toSorted()).toEqual(events.toSorted());
  });

  it("from before a guard lost its storage is filed beside the new events", async () => {
    const { tenant, user, earlier, message } = await createUserWithSentFailure();
    await loseStorage(user);
    await user.verify(user.wrongCode(Date.now()));
    expect(await deliverMessages([message])).toBe(0);
    await guardOf(user).deliver();
    expect(await readTrail(tenant)).toEqual([...earlier, failure, failure]);
  });

  it("from before an erasure changes nothing about the new identity", async () => {
    const { tenant, user, earlier, message } = await createUserWithSentFailure();
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    await withD1Fault("fails on batches only", async () => {
      await User.provision(tenant, user.externalId);
    });
    expect(await deliverMessages([message])).toBe(0);
    await guardOf(user).deliver();
    expect((await readTrail(tenant)).toSorted()).toEqual(
      [...earlier, failure, "user.erased success", "user.provisioned success"].toSorted(),
    );
    expect(await user.profile()).toMatchObject({ failed_attempts: 0, has_otp: false });
    expect((await tenant.send("GET", "/v1/idp/users")).body.users).toHaveLength(1);
  });
});
