/**
 * A request with an Idempotency-Key is lost at any of its steps, or D1 fails during it. The retry gets the
 * answer that the first request would have got, and the change has happened once.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { selectByKind, shareOf } from "../support/campaign.ts";
import type { Answer } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { withLostReplies } from "../support/lost-reply.ts";
import { guardOperations, inOtherDatabase, type Operation } from "../support/operations.ts";
import { cutOff, cutPointOf, listCuts } from "../support/steps.ts";
import { maxRunMs } from "../support/survive-cuts.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import { expectState, prepareTrial, type Trial } from "../support/under-fault.ts";

/** These operations are no POST requests. */
const notPosts = ["remove", "suspend", "revoke a token", "change the settings"];
const posts = [...guardOperations, ...tenantOperations].filter(
  ({ name }) => !notPosts.includes(name),
);

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Sends the request with a key. */
async function sendWithKey({ tenant, prepared }: Trial): Promise<Answer> {
  tenant.requestKey = "k";
  try {
    return await prepared.act();
  } finally {
    tenant.requestKey = undefined;
  }
}

/** Expects retries to get the right answer after a first request that got `first`. */
async function expectRetriesToSucceed(trial: Trial, first: Answer): Promise<void> {
  const { done, after } = trial.operation;
  expect(first.status).toBeOneOf([done.status, 503]);
  const retry = await sendWithKey(trial);
  expect(retry.status).toBe(done.status);
  if (first.status !== 503) expect(retry.body).toEqual(first.body);
  expect((await sendWithKey(trial)).body).toEqual(retry.body);
  await expectState(trial, after, done.events);
}

async function expectRetriesToSucceedAfter(
  operation: Operation,
  under: (act: () => Promise<Answer>) => Promise<Answer>,
): Promise<void> {
  const trial = await prepareTrial(operation);
  await expectRetriesToSucceed(trial, await under(() => sendWithKey(trial)));
}

const faults: readonly D1Fault[] = [
  "throws",
  "hangs",
  "loses the reply",
  "fails on single reads only",
  "fails on batches only",
  "loses the reply to batches only",
];

describe.each(posts)("$name with an Idempotency-Key", (operation) => {
  it.each(shareOf(faults, posts.indexOf(operation) % 3, 3))(
    "is applied once, although D1 %s",
    (fault) => expectRetriesToSucceedAfter(operation, (act) => withD1Fault(fault, act)),
  );

  it("is applied once, although the guard's reply is lost", () =>
    expectRetriesToSucceedAfter(operation, withLostReplies));
});

describe("An answer that D1 stores together with the change", () => {
  const tenantPosts = posts.filter((operation) => tenantOperations.includes(operation));
  it.each(tenantPosts)("is given although the reply of D1 is lost: $name", async (operation) => {
    const trial = await prepareTrial(operation);
    const first = await withD1Fault("loses the reply to batches only", () => sendWithKey(trial));
    expect(first.status).toBe(operation.done.status);
    await expectRetriesToSucceed(trial, first);
  });
});

describe.each(inOtherDatabase(posts))("$name with an Idempotency-Key", (operation) => {
  it.each<D1Fault>(["throws", "loses the reply to batches only"])(
    "is applied once, although D1 %s",
    (fault) => expectRetriesToSucceedAfter(operation, (act) => withD1Fault(fault, act)),
  );
});

describe("A request with an Idempotency-Key that is cut off between any two steps", () => {
  // Computations in the Worker are left out, because they store nothing.
  const computations = ["encrypt", "decrypt", "importKey", "sign", "verify", "digest"];

  it.each(posts)("is applied once: $name", { timeout: maxRunMs }, async (operation) => {
    const undisturbed = await prepareTrial(operation);
    const cuts = await listCuts(() => sendWithKey(undisturbed));
    let cutOffs = 0;
    const stored = cuts.filter(({ name }) => !computations.includes(name));
    for (const cut of selectByKind(stored, cutPointOf)) {
      const trial = await prepareTrial(operation);
      const { answer, reached } = await cutOff(cut, () => sendWithKey(trial));
      if (reached) cutOffs += 1;
      try {
        await expectRetriesToSucceed(trial, answer);
      } catch (error) {
        throw new Error(`Cut off ${cut.side} ${cut.name} (${cut.nth})`, { cause: error });
      }
    }
    expect(cutOffs).toBeGreaterThan(0);
  });
});
