/**
 * A request with an Idempotency-Key is lost at any of its steps, or D1 fails under it: the retry is answered
 * as the first would have been, and all of it has happened once.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { selectByKind } from "../support/campaign.ts";
import type { Answer } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { withLostReplies } from "../support/lost-reply.ts";
import { guardOperations, inOtherDatabase, type Operation } from "../support/operations.ts";
import { cutOff, cutPointOf, listCuts } from "../support/steps.ts";
import { maxRunMs } from "../support/survive-cuts.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import { expectState, prepareTrial, type Trial } from "../support/under-fault.ts";

/** Others are no POST. */
const notPosted = ["remove", "suspend", "revoke a token", "change the settings"];
const posts = [...guardOperations, ...tenantOperations].filter(
  ({ name }) => !notPosted.includes(name),
);

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The request, with a key. */
async function keyed({ tenant, prepared: ready }: Trial): Promise<Answer> {
  tenant.requestKey = "k";
  try {
    return await ready.act();
  } finally {
    tenant.requestKey = undefined;
  }
}

/** After a first request that was given this answer. */
async function expectRetried(trial: Trial, first: Answer): Promise<void> {
  const { done, after } = trial.operation;
  expect(first.status).toBeOneOf([done.status, 503]);
  const retry = await keyed(trial);
  expect(retry.status).toBe(done.status);
  if (first.status !== 503) expect(retry.body).toEqual(first.body);
  expect((await keyed(trial)).body).toEqual(retry.body);
  await expectState(trial, after, done.events);
}

async function expectRetriedUnder(
  operation: Operation,
  under: (act: () => Promise<Answer>) => Promise<Answer>,
): Promise<void> {
  const trial = await prepareTrial(operation);
  await expectRetried(trial, await under(() => keyed(trial)));
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
  it.each(faults)("happens once, though D1 %s", (fault) =>
    expectRetriedUnder(operation, (act) => withD1Fault(fault, act)),
  );

  it("happens once, though the guard's reply is lost", () =>
    expectRetriedUnder(operation, withLostReplies));
});

describe("What D1 keeps with the act itself", () => {
  const kept = posts.filter((operation) => tenantOperations.includes(operation));
  it.each(kept)("is answered though only the reply was lost: $name", async (operation) => {
    const trial = await prepareTrial(operation);
    const first = await withD1Fault("loses the reply to batches only", () => keyed(trial));
    expect(first.status).toBe(operation.done.status);
    await expectRetried(trial, first);
  });
});

describe.each(inOtherDatabase(posts))("$name with an Idempotency-Key", (operation) => {
  it.each<D1Fault>(["throws", "loses the reply to batches only"])(
    "happens once, though D1 %s",
    (fault) => expectRetriedUnder(operation, (act) => withD1Fault(fault, act)),
  );
});

describe("A request with an Idempotency-Key that is cut off between any two steps", () => {
  // What the Worker computes for itself is left out: nothing is stored between that.
  const computations = ["encrypt", "decrypt", "importKey", "sign", "verify", "digest"];

  it.each(posts)("is carried out once: $name", { timeout: maxRunMs }, async (operation) => {
    const undisturbed = await prepareTrial(operation);
    const cuts = await listCuts(() => keyed(undisturbed));
    let cutOffs = 0;
    const stored = cuts.filter(({ name }) => !computations.includes(name));
    for (const cut of selectByKind(stored, cutPointOf)) {
      const trial = await prepareTrial(operation);
      const { answer, reached } = await cutOff(cut, () => keyed(trial));
      if (reached) cutOffs += 1;
      try {
        await expectRetried(trial, answer);
      } catch (error) {
        throw new Error(`Cut off ${cut.side} ${cut.name} (${cut.nth})`, { cause: error });
      }
    }
    expect(cutOffs).toBeGreaterThan(0);
  });
});
