/** The day keys of a tenant, in a real Durable Object. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  deleteAllDayKeys,
  deleteDayKeysBelow,
  findDayKeys,
  findOrCreateDayKey,
} from "../../../src/audit/personal-keys/client.ts";
import { dayOf, noDayKeys } from "../../../src/audit/personal-keys/day.ts";
import { PersonalKeys } from "../../../src/audit/personal-keys/personal-keys.ts";
import { StoreError } from "../../../src/db/client.ts";
import { noLocation } from "../../../src/location.ts";
import { killPersonalKeys, personalKeysOf, readDayKeys } from "../../support/personal-keys.ts";
import { latin1 } from "../../support/stores.ts";

const today = 20_000;
let tenants = 0;

function createOwner() {
  tenants += 1;
  return { tenantId: `keys-${tenants}`, location: noLocation };
}

async function keyOf(owner: ReturnType<typeof createOwner>, day: number): Promise<string> {
  const key = await findOrCreateDayKey(env, owner, day);
  if (key === undefined) throw new Error("The day has no key");
  return latin1(key);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("The day keys of a tenant", () => {
  it("are 32 random bytes for each day, made at the first use and the same ever after", async () => {
    const owner = createOwner();
    const first = await keyOf(owner, today);
    expect(first).toHaveLength(32);
    expect(await keyOf(owner, today)).toBe(first);
    expect(await keyOf(owner, today + 1)).not.toBe(first);
    expect(await keyOf(createOwner(), today)).not.toBe(first);
  });

  it("are made once for twenty calls at the same time, and survive the eviction of the object", async () => {
    const owner = createOwner();
    const calls = Array.from({ length: 20 }, () => keyOf(owner, today));
    const [first, ...others] = await Promise.all(calls);
    expect(new Set([first, ...others]).size).toBe(1);
    await evictDurableObject(personalKeysOf(owner.tenantId));
    const later = Array.from({ length: 20 }, () => keyOf(owner, today));
    expect(new Set(await Promise.all(later))).toEqual(new Set([first]));
  });

  it("are found for many days in one call, which makes none", async () => {
    const owner = createOwner();
    const find = vi.spyOn(PersonalKeys.prototype, "findKeys");
    expect(await findDayKeys(env, owner, [today])).toEqual(noDayKeys);
    expect(await readDayKeys(owner.tenantId)).toEqual(new Map());
    const days = Array.from({ length: 150 }, (_, n) => today + n);
    const keys = new Map<number, string>();
    for (const day of days) if (day % 2 === 0) keys.set(day, await keyOf(owner, day));
    find.mockClear();
    const found = await findDayKeys(env, owner, days);
    expect(find).toHaveBeenCalledOnce();
    expect(found).toMatchObject({ firstDay: today, hasDeleted: false });
    expect(new Map([...found.keys].map(([day, key]) => [day, latin1(key)]))).toEqual(keys);
  });

  it("are never made again once they were deleted, also in an object that starts anew", async () => {
    const owner = createOwner();
    for (const day of [today - 2, today - 1, today]) await keyOf(owner, day);
    const kept = await keyOf(owner, today);
    expect(await deleteDayKeysBelow(env, owner, today)).toBe(2);
    await evictDurableObject(personalKeysOf(owner.tenantId));
    for (const day of [today - 1, today - 2, today - 900]) {
      expect(await findOrCreateDayKey(env, owner, day)).toBeUndefined();
    }
    const found = await findDayKeys(env, owner, [today - 2, today - 1, today]);
    expect([...found.keys.keys()]).toEqual([today]);
    expect(found).toMatchObject({ firstDay: today, hasDeleted: true });
    expect(await keyOf(owner, today)).toBe(kept);
    expect([...(await readDayKeys(owner.tenantId)).keys()]).toEqual([today - 1, today]);
  });

  it("can be deleted again and again, and an earlier day brings nothing back", async () => {
    const owner = createOwner();
    // A day whose key was never made is among those that never get one.
    expect(await deleteDayKeysBelow(env, owner, today - 5)).toBe(0);
    expect(await findOrCreateDayKey(env, owner, today - 6)).toBeUndefined();
    await keyOf(owner, today - 5);
    await keyOf(owner, today);
    expect(await deleteDayKeysBelow(env, owner, today)).toBe(1);
    expect(await deleteDayKeysBelow(env, owner, today)).toBe(0);
    expect(await deleteDayKeysBelow(env, owner, today - 4)).toBe(0);
    expect(await findOrCreateDayKey(env, owner, today - 4)).toBeUndefined();
    expect(await readDayKeys(owner.tenantId)).toEqual(
      new Map([
        [today - 1, null],
        [today, await keyOf(owner, today)],
      ]),
    );
  });

  it("lose nothing when the object is killed before its answer arrives", async () => {
    const owner = createOwner();
    const { keyOf: realKeyOf, deleteKeysBelow } = PersonalKeys.prototype;
    const killed = async <T>(answer: T) => {
      await killPersonalKeys(owner.tenantId);
      return answer;
    };
    const making = vi.spyOn(PersonalKeys.prototype, "keyOf").mockImplementationOnce(async function (
      this: PersonalKeys,
      day,
    ) {
      return await killed(await realKeyOf.call(this, day));
    });
    const first = await keyOf(owner, today);
    expect(making).toHaveBeenCalledTimes(2);
    expect(await keyOf(owner, today)).toBe(first);
    await keyOf(owner, today + 1);
    const deletion = vi
      .spyOn(PersonalKeys.prototype, "deleteKeysBelow")
      .mockImplementationOnce(async function (this: PersonalKeys, day) {
        return await killed(await deleteKeysBelow.call(this, day));
      });
    // The repeated call finds nothing left to delete.
    expect(await deleteDayKeysBelow(env, owner, today + 1)).toBe(0);
    expect(deletion).toHaveBeenCalledTimes(2);
    expect(await findOrCreateDayKey(env, owner, today)).toBeUndefined();
    expect([...(await readDayKeys(owner.tenantId)).keys()]).toEqual([today, today + 1]);
  });

  it("delete all or nothing when the storage fails within the deletion", async () => {
    const owner = createOwner();
    for (const day of [today - 2, today - 1, today]) await keyOf(owner, day);
    const before = await readDayKeys(owner.tenantId);
    const statements = ["UPDATE", "DELETE", "INSERT"];
    for (const statement of statements) {
      await runInDurableObject(personalKeysOf(owner.tenantId), async (keys, { storage }) => {
        const prototype = Object.getPrototypeOf(storage.sql);
        const { exec } = prototype;
        const failing = vi.spyOn(prototype, "exec").mockImplementation(function (
          this: unknown,
          ...given: unknown[]
        ) {
          if (String(given[0]).startsWith(statement)) throw new Error("The storage fails");
          return exec.apply(this, given);
        });
        if (!(keys instanceof PersonalKeys)) throw new Error("The object has another class");
        expect(await keys.deleteKeysBelow(today)).toBeUndefined();
        failing.mockRestore();
      });
      expect(await readDayKeys(owner.tenantId)).toEqual(before);
    }
    expect(await deleteDayKeysBelow(env, owner, today)).toBe(2);
  });

  it("answer a fault as one of a store after a second try, and never as a missing key", async () => {
    const owner = createOwner();
    const before = await keyOf(owner, today);
    const faults = [async () => undefined, () => Promise.reject(new Error("unreachable"))];
    for (const fault of faults) {
      vi.spyOn(PersonalKeys.prototype, "keyOf").mockImplementationOnce(fault);
      expect(await keyOf(owner, today)).toBe(before);
      const failing = vi.spyOn(PersonalKeys.prototype, "keyOf").mockImplementation(fault);
      failing.mockClear();
      const key = findOrCreateDayKey(env, owner, today);
      await expect(key).rejects.toBeInstanceOf(StoreError);
      expect(failing).toHaveBeenCalledTimes(2);
      failing.mockRestore();
      vi.spyOn(PersonalKeys.prototype, "findKeys").mockImplementation(fault);
      await expect(findDayKeys(env, owner, [today])).rejects.toBeInstanceOf(StoreError);
      vi.restoreAllMocks();
    }
    expect(await keyOf(owner, today)).toBe(before);
  });

  it("disappear with their tenant", async () => {
    const owner = createOwner();
    await keyOf(owner, today);
    await deleteAllDayKeys(env, owner);
    expect(await readDayKeys(owner.tenantId)).toEqual(new Map());
    await deleteAllDayKeys(env, owner);
    vi.spyOn(PersonalKeys.prototype, "deleteAll").mockImplementation(async () => false);
    await expect(deleteAllDayKeys(env, owner)).rejects.toBeInstanceOf(StoreError);
  });
});

describe("A day", () => {
  it("begins at midnight UTC", () => {
    expect(dayOf(Date.parse("1970-01-01T00:00:00Z"))).toBe(0);
    expect(dayOf(Date.parse("2026-11-29T23:59:59.999Z"))).toBe(20_786);
    expect(dayOf(Date.parse("2026-11-30T00:00:00Z"))).toBe(20_787);
  });
});
