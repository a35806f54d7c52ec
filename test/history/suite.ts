/** Records histories against the service, and holds each against the model. */
import { expect, inject, test, vi } from "vitest";
import { Tenant } from "../support/client.ts";
import { contradictionIn, type History } from "./checker.ts";
import { begin, record } from "./recorder.ts";
import { policies, type Schedule, schedules } from "./schedule.ts";
import { slowCrypto } from "./slow-crypto.ts";

/** Files that share the histories of a run: `history-1.test.ts` and on. */
const files = 4;
const longestMs = 60 * 60 * 1000;

/** What must have happened, or the histories say nothing. */
const reached: Readonly<Record<string, (history: History) => number>> = {
  "codes accepted": (history) => answered(history, /^200 (totp|backup_code)/),
  "codes rejected": (history) => answered(history, /^422 invalid_code/),
  "calls of a locked user": (history) => answered(history, /^423 user_locked/),
  "calls with TOTP disabled": (history) => answered(history, /^423 otp_disabled/),
  "calls of a suspended user": (history) => answered(history, /^403 user_suspended/),
  "calls without an answer": (history) => history.filter(({ answer }) => answer === null).length,
  "calls at the same time": (history) =>
    history.filter((call, index) => (history[index + 1]?.made ?? Infinity) < (call.answered ?? 0))
      .length,
};

/** A code is evaluated anew when what it was held against has changed; so many times, then 503. */
const maxGatherings = 5;

function changes(history: History): number {
  const kinds = ["configure", "unlock", "suspend", "reactivate"];
  return history.filter(({ operation }) => kinds.includes(operation.kind)).length;
}

function answered(history: History, pattern: RegExp): number {
  return history.filter(({ answer }) => answer !== null && pattern.test(answer)).length;
}

/** A tenant for each policy; in one database or the other. */
async function tenants(): Promise<readonly Tenant[]> {
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
      tenant.clock = new Date(begin).toISOString();
      return tenant;
    }),
  );
}

/** The n-th file's part of the histories (n from 1). */
export function checkHistories(n: number): void {
  const { count, seed } = inject("histories");
  const own = Math.ceil(count / files);
  const title = `every history of seed ${seed}, part ${n}, is one of an identity that takes one call after the other`;

  test(title, { timeout: longestMs }, async () => {
    // The service logs every call that a crash broke off.
    vi.spyOn(console, "error").mockImplementation(() => {});
    slowCrypto();
    const sums = new Map(Object.keys(reached).map((what) => [what, 0]));
    const ofPolicy = await tenants();
    const check = async (schedule: Schedule, index: number) => {
      const policy = policies[schedule.policy];
      const tenant = ofPolicy[schedule.policy];
      if (policy === undefined || tenant === undefined) throw new Error("No such policy");
      const { history, crashes, unavailable } = await record(tenant, schedule);
      const where = `SEED=${seed} HISTORIES=${count}, part ${n}, history ${index + 1}, ${JSON.stringify(policy)}`;
      const wrong = contradictionIn(policy, history);
      if (wrong !== undefined) expect.fail(`${where}\n${wrong}`);
      // A service that knew no answer would contradict nothing: it owes one unless it was broken off.
      if (crashes === 0 && changes(history) < maxGatherings) expect(unavailable, where).toBe(0);
      for (const [what, counted] of Object.entries(reached)) {
        sums.set(what, (sums.get(what) ?? 0) + counted(history));
      }
    };
    for (const [index, schedule] of schedules(seed + n, own).entries())
      await check(schedule, index);
    const told = [...sums].map(([what, times]) => `${times} ${what}`).join(", ");
    // biome-ignore lint/suspicious/noConsole: who reads the log must be able to repeat the run.
    console.log(`SEED=${seed} HISTORIES=${count}: part ${n}, ${own} histories, ${told}`);
    // A handful of histories need not reach everything.
    if (own < 50) return;
    for (const [what, times] of sums) expect(times, what).toBeGreaterThan(0);
  });
}
