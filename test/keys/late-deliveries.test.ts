/** Deliveries that are late while keys change: they wait in a guard, or in the queue. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { KeyringName } from "../../src/keys/keyring-names.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { guardOf } from "../support/guard.ts";
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
import { deliverMessages, holdMessages, refuseMessages } from "../support/queue.ts";

const both = `${firstSealingKey},${secondSealingKey}`;
const bothCodeKeys = `${firstCodeKey},${secondCodeKey}`;
const undo: (() => void)[] = [];
/** Users of the present test. */
const made: User[] = [];

async function deploy(name: KeyringName, text: string): Promise<void> {
  undo.push(await deployKeys(name, text));
}

async function newUser(shard = 0): Promise<User> {
  const user = await User.withTotp(await Tenant.create("test", { shard }));
  await drainOutbox(user);
  made.push(user);
  return user;
}

/** Alarms set by this clock are far ahead: none fires by itself. */
function stopAlarms(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
}

/** Has something happen right before the statement by which versions of a keyring are retired. */
function beforeRetirement(keyring: KeyringName, happens: () => Promise<unknown>): void {
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const run: (...args: unknown[]) => Promise<unknown> = statement.run;
  let isOver = false;
  vi.spyOn(statement, "run").mockImplementation(async function (this: object, ...args) {
    const text = String(Reflect.get(this, "statement"));
    const isRetirement =
      text.startsWith('update "key_versions" set "retired_at" = ?') &&
      Object(Reflect.get(this, "params")).includes(keyring);
    if (isRetirement && !isOver) {
      isOver = true;
      await happens();
    }
    return await run.apply(this, args);
  });
}

beforeEach(async () => {
  // Nothing of one test arrives in the next.
  refuseMessages();
  await clearKeyedData();
  await deploy("sealing", firstSealingKey);
  await deploy("backup_codes", firstCodeKey);
  await firstRequestWith(firstSealingKey);
});

afterEach(async () => {
  for (const user of made.splice(0)) await drainOutbox(user);
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const back of undo.splice(0).toReversed()) back();
});

describe("A delivery under an old key", () => {
  it.each([0, 1])(
    "to database %i between the last count and the retirement keeps the key in use, and is seen",
    async (shard) => {
      const user = await newUser(shard);
      stopAlarms();
      await deploy("sealing", both);
      await firstRequestWith(both);
      while ((await findVersionsInRecords()).has(1)) await reEncryptSlice(1);
      // A guard of a build before, while D1 is out.
      await deploy("sealing", firstSealingKey);
      await withD1Fault("fails on batches only", () => user.configure());
      await deploy("sealing", both);
      let arrived = false;
      beforeRetirement("sealing", async () => {
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

  it("of backup codes between count and retirement keeps their key in use", async () => {
    const user = await newUser();
    stopAlarms();
    await reEncryptAll();
    const codes = await withD1Fault("fails on batches only", () => user.backupCodes());
    await deploy("backup_codes", bothCodeKeys);
    beforeRetirement("backup_codes", () => guardOf(user).deliver());
    await reEncryptAll();
    expect(await listVersionsInUse("backup_codes")).toEqual([1]);
    expect((await user.verify(codes[0] ?? "")).status).toBe(200);
  });

  it("that the queue brings after the re-encryption is not needed, and brings no key back", async () => {
    const user = await newUser();
    stopAlarms();
    const held = holdMessages();
    expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 20_000, interval: 20 });
    await deploy("sealing", both);
    await firstRequestWith(both);
    await reEncryptAll();
    expect(await listVersionsInUse("sealing")).toEqual([2]);
    expect(await deliverMessages(held)).toBe(0);
    expect(await findVersionsInRecords()).toEqual(new Set([2]));
    expect(await listVersionsInUse("sealing")).toEqual([2]);
    expect((await firstRequestWith(secondSealingKey)).status).toBe(200);
    const told = await readTrail(user.tenant);
    expect(told.filter((event) => event.startsWith("otp.verified"))).toHaveLength(1);
  });
});

describe("A guard put back to before a rotation", () => {
  it("is a 503 without the key of then, and needs it no more once the user has enrolled anew", async () => {
    const user = await newUser();
    const restore = await snapshotOfGuard(user);
    await deploy("sealing", both);
    await firstRequestWith(both);
    await reEncryptAll();
    await deploy("sealing", secondSealingKey);
    await restore();
    const lines = vi.spyOn(console, "error").mockImplementation(() => {});
    expect((await user.verify(user.code(Date.now()))).status).toBe(503);
    expect(lines.mock.calls.join()).toContain("MissingKeyError");
    await deploy("sealing", both);
    await user.configure();
    expect(await findVersionsInRecords()).toEqual(new Set([2]));
    expect(await listVersionsInUse("sealing")).toEqual([2]);
    await deploy("sealing", secondSealingKey);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });
});
