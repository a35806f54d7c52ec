/** Deliveries that wait in a guard or in the queue while keys change. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { KeyringName } from "../../src/keys/keyring-names.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { fireAlarm, guardOf } from "../support/guard.ts";
import { snapshotOfGuard } from "../support/guard-snapshot.ts";
import {
  findVersionsInRecords,
  firstRequestWith,
  listVersionsInUse,
  reEncryptAll,
  reEncryptSlice,
} from "../support/key-rotation.ts";
import {
  clearKeyedData,
  deployKeys,
  firstCodeKey,
  firstSealingKey,
  secondCodeKey,
  secondSealingKey,
} from "../support/keys.ts";
import { deliverMessages, holdMessages, useQueue } from "../support/queue.ts";

const bothSealingKeys = `${firstSealingKey},${secondSealingKey}`;
const bothCodeKeys = `${firstCodeKey},${secondCodeKey}`;
const undo: (() => void)[] = [];
/** The users that the current test created. */
const createdUsers: User[] = [];

async function deploy(name: KeyringName, text: string): Promise<void> {
  undo.push(await deployKeys(name, text));
}

async function createUser(shard = 0): Promise<User> {
  const user = await User.withTotp(await Tenant.create("test", { shard }));
  await drainOutbox(user);
  createdUsers.push(user);
  return user;
}

/** Moves the clock ahead, so that alarms set from now on do not fire by themselves. */
function stopAlarms(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
}

/** Runs `action` right before the statement that retires versions of the keyring. */
function runBeforeRetirement(keyring: KeyringName, action: () => Promise<unknown>): void {
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const run: (...args: unknown[]) => Promise<unknown> = statement.run;
  let hasRun = false;
  vi.spyOn(statement, "run").mockImplementation(async function (this: object, ...args) {
    const text = String(Reflect.get(this, "statement"));
    const isRetirement =
      text.startsWith('update "key_versions" set "retired_at" = ?') &&
      Object(Reflect.get(this, "params")).includes(keyring);
    if (isRetirement && !hasRun) {
      hasRun = true;
      await action();
    }
    return await run.apply(this, args);
  });
}

beforeEach(async () => {
  await clearKeyedData();
  await deploy("sealing", firstSealingKey);
  await deploy("backup_codes", firstCodeKey);
  await firstRequestWith(firstSealingKey);
});

afterEach(async () => {
  for (const user of createdUsers.splice(0)) await drainOutbox(user);
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const back of undo.splice(0).toReversed()) back();
});

describe("A delivery under an old key", () => {
  useQueue();

  it.each([0, 1])(
    "keeps the key in use and is re-encrypted if it reaches database %i between the last count and the retirement",
    async (shard) => {
      const user = await createUser(shard);
      stopAlarms();
      await deploy("sealing", bothSealingKeys);
      await firstRequestWith(bothSealingKeys);
      while ((await findVersionsInRecords()).has(1)) await reEncryptSlice(1);
      // A guard with the old keys records a change while D1 fails.
      await deploy("sealing", firstSealingKey);
      await withD1Fault("fails on batches only", () => user.configure());
      await deploy("sealing", bothSealingKeys);
      let arrived = false;
      runBeforeRetirement("sealing", async () => {
        await guardOf(user).deliver();
        arrived = true;
      });
      while (!arrived) expect((await reEncryptSlice()).done).toBe(false);
      expect(await findVersionsInRecords()).toContain(1);
      expect(await listVersionsInUse("sealing")).toEqual([1, 2]);
      await reEncryptAll();
      expect(await findVersionsInRecords()).toEqual(new Set([2]));
      expect(await listVersionsInUse("sealing")).toEqual([2]);
      await deploy("sealing", secondSealingKey);
      expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    },
  );

  it("keeps the key of backup codes in use if it arrives between count and retirement", async () => {
    const user = await createUser();
    stopAlarms();
    await reEncryptAll();
    const codes = await withD1Fault("fails on batches only", () => user.backupCodes());
    await deploy("backup_codes", bothCodeKeys);
    runBeforeRetirement("backup_codes", () => guardOf(user).deliver());
    await reEncryptAll();
    expect(await listVersionsInUse("backup_codes")).toEqual([1]);
    expect((await user.verify(codes[0] ?? "")).status).toBe(200);
  });

  it("does not bring an old key back into use when it arrives through the queue after the re-encryption", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
    await fireAlarm(user);
    expect(held).toHaveLength(1);
    await deploy("sealing", bothSealingKeys);
    await firstRequestWith(bothSealingKeys);
    await reEncryptAll();
    expect(await listVersionsInUse("sealing")).toEqual([2]);
    expect(await deliverMessages(held)).toBe(0);
    expect(await findVersionsInRecords()).toEqual(new Set([2]));
    expect(await listVersionsInUse("sealing")).toEqual([2]);
    expect((await firstRequestWith(secondSealingKey)).status).toBe(200);
    const events = await readTrail(user.tenant);
    expect(events.filter((event) => event.startsWith("otp.verified"))).toHaveLength(1);
  });
});

describe("A guard that was restored to a time before a rotation", () => {
  it("answers 503 without the old key, and does not need it after a new enrolment", async () => {
    const user = await createUser();
    const restore = await snapshotOfGuard(user);
    await deploy("sealing", bothSealingKeys);
    await firstRequestWith(bothSealingKeys);
    await reEncryptAll();
    await deploy("sealing", secondSealingKey);
    await restore();
    const lines = vi.spyOn(console, "error").mockImplementation(() => {});
    expect((await user.verify(user.code(Date.now()))).status).toBe(503);
    expect(lines.mock.calls.join()).toContain("MissingKeyError");
    await deploy("sealing", bothSealingKeys);
    await user.configure();
    expect(await findVersionsInRecords()).toEqual(new Set([2]));
    expect(await listVersionsInUse("sealing")).toEqual([2]);
    await deploy("sealing", secondSealingKey);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });
});
