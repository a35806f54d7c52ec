/** Records histories of the service and checks each against the model. */
import { expect, inject, test, vi } from "vitest";
import { Tenant } from "../support/client.ts";
import { setUpPasskeys } from "../support/passkeys.ts";
import { findContradiction, type History } from "./checker.ts";
import { begin, record } from "./recorder.ts";
import { generateSchedules, policies, type Schedule } from "./schedule.ts";
import { slowDownCrypto } from "./slow-crypto.ts";

/** The number of files that share the histories of a run, from `history-1.test.ts`. */
const fileCount = 4;
const timeoutMs = 60 * 60 * 1000;

/** Each of these must occur in a long run. Otherwise the histories prove too little. */
const coverage: Readonly<Record<string, (history: History) => number>> = {
  "codes accepted": (history) => countAnswered(history, /^200 (totp|backup_code)/),
  "authenticators added": (history) => countAnswered(history, /^201 added/),
  "authenticators removed": (history) => countAnswered(history, /^204 removed/),
  "codes rejected": (history) => countAnswered(history, /^422 invalid_code/),
  "passkeys accepted": (history) =>
    countAnswered(
      // Each history begins with one, on a device that is remembered.
      history.filter(({ client }) => client !== "the test"),
      /^200 passkey/,
    ),
  "attempts accepted from a known device": (history) =>
    countAnswered(history, /^200 .*known device/),
  "passkeys refused": (history) => countAnswered(history, /^422 invalid_passkey challenge$/),
  "calls of a locked user": (history) => countAnswered(history, /^423 user_locked/),
  "calls with TOTP disabled": (history) => countAnswered(history, /^423 otp_disabled/),
  "calls of a suspended user": (history) => countAnswered(history, /^403 user_suspended/),
  "calls without an answer": (history) => history.filter(({ answer }) => answer === null).length,
  "calls at the same time": (history) =>
    history.filter((call, index) => (history[index + 1]?.sent ?? Infinity) < (call.answered ?? 0))
      .length,
};

/** A guard gathers evidence again when it is stale. After this many times it answers 503. */
const maxGatherings = 5;

function countChanges(history: History): number {
  const kinds = ["configure", "add", "remove", "unlock", "suspend", "reactivate"];
  return history.filter(({ operation }) => kinds.includes(operation.kind)).length;
}

function countAnswered(history: History, pattern: RegExp): number {
  return history.filter(({ answer }) => answer !== null && pattern.test(answer)).length;
}

/** Creates a tenant for each policy, alternately in two databases. */
async function createTenants(): Promise<readonly Tenant[]> {
  return await Promise.all(
    policies.map(async (policy, index) => {
      const tenant = await Tenant.create("test", { shard: index % 2 });
      await tenant.setSettings({
        lockout: {
          max_failed_attempts: policy.maxFailedAttempts,
          lock_seconds: policy.lockSeconds,
          max_lock_seconds: policy.maxLockSeconds,
          disable_after: policy.disableAfter,
        },
      });
      await setUpPasskeys(tenant);
      tenant.clock = new Date(begin).toISOString();
      return tenant;
    }),
  );
}

/** Checks the n-th file's part of the histories, n from 1. */
export function checkHistories(n: number): void {
  const { count, seed } = inject("histories");
  const ownCount = Math.ceil(count / fileCount);
  const title = `every history of seed ${seed}, part ${n}, is linearizable`;

  test(title, { timeout: timeoutMs }, async () => {
    // The service logs every call that a crash interrupts.
    vi.spyOn(console, "error").mockImplementation(() => {});
    slowDownCrypto();
    const sums = new Map(Object.keys(coverage).map((what) => [what, 0]));
    const tenants = await createTenants();
    const check = async (schedule: Schedule, index: number) => {
      const policy = policies[schedule.policy];
      const tenant = tenants[schedule.policy];
      if (policy === undefined || tenant === undefined) throw new Error("Unknown policy");
      const { history, crashes, unavailable } = await record(tenant, schedule);
      const where = `SEED=${seed} HISTORIES=${count}, part ${n}, history ${index + 1}, ${JSON.stringify(policy)}`;
      const wrong = findContradiction(policy, history);
      if (wrong !== undefined) expect.fail(`${where}\n${wrong}`);
      // Calls without an answer contradict nothing, so the service must answer unless it crashed.
      if (crashes === 0 && countChanges(history) < maxGatherings)
        expect(unavailable, where).toBe(0);
      for (const [what, counted] of Object.entries(coverage)) {
        sums.set(what, (sums.get(what) ?? 0) + counted(history));
      }
    };
    for (const [index, schedule] of generateSchedules(seed + n, ownCount).entries())
      await check(schedule, index);
    const totals = [...sums].map(([what, times]) => `${times} ${what}`).join(", ");
    // biome-ignore lint/suspicious/noConsole: the log must contain the seed, to repeat the run.
    console.log(`SEED=${seed} HISTORIES=${count}: part ${n}, ${ownCount} histories, ${totals}`);
    // A short run need not cover everything.
    if (ownCount < 50) return;
    for (const [what, times] of sums) expect(times, what).toBeGreaterThan(0);
  });
}
