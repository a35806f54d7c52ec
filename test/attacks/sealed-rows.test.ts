/** Keys: a sealed box opens only for its own identity, purpose and key version. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { countUndelivered, evict, guardOf, loseStorage, replaceState } from "../support/guard.ts";

const logged: string[] = [];

beforeEach(() => {
  logged.length = 0;
  vi.spyOn(console, "error").mockImplementation((line) => void logged.push(String(line)));
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Reads one field of the guard's stored state as text. */
async function readStoredField(user: User, path: string): Promise<string> {
  return await runInDurableObject(
    guardOf(user),
    (_, { storage }) =>
      storage.sql.exec<{ value: string }>("SELECT state ->> ? AS value FROM live", path).one()
        .value,
  );
}

async function replaceSecret(user: User, sealed: string): Promise<void> {
  await replaceState(user, `json_set(state, '$.totp.sealed', '${sealed}')`);
  await evict(user);
}

/** The box with one changed character near its end. */
function flipBit(sealed: string): string {
  return sealed.slice(0, -2) + (sealed.at(-2) === "A" ? "B" : "A") + sealed.slice(-1);
}

type Swap = (tenant: Tenant, victim: User, attacker: User) => Promise<string>;

const swaps: Record<string, Swap> = {
  "the box of another identity": async (_tenant, _victim, attacker) =>
    await readStoredField(attacker, "$.totp.sealed"),
  "the box of another tenant's user with the same name": async (_tenant, victim, attacker) => {
    const namesake = await User.withTotp(await Tenant.create(), victim.externalId);
    attacker.secret = namesake.secret;
    return await readStoredField(namesake, "$.totp.sealed");
  },
  "the box of its own audit key": async (_tenant, victim) =>
    await readStoredField(victim, "$.auditKey.sealed"),
  "its own box with a changed bit": async (_tenant, victim) =>
    flipBit(await readStoredField(victim, "$.totp.sealed")),
  "its own box under an unknown key version": async (_tenant, victim) =>
    (await readStoredField(victim, "$.totp.sealed")).replace(/^1\./, "9."),
};

describe("A guard whose sealed TOTP secret was replaced", () => {
  it.each(Object.entries(swaps))("by %s answers 503 and counts no attempt", async (_, swap) => {
    const tenant = await Tenant.create();
    const victim = await User.withTotp(tenant, "victim");
    const attacker = await User.withTotp(tenant, "attacker");
    await victim.events();
    const own = await readStoredField(victim, "$.totp.sealed");
    await replaceSecret(victim, await swap(tenant, victim, attacker));
    const now = Date.now();
    for (const code of [attacker.code(now), victim.code(now), "000000"]) {
      const { status, body } = await victim.verify(code);
      expect({ status, code: body.code }).toEqual({ status: 503, code: "unavailable" });
    }
    expect(logged.join("\n")).toContain("guard_failed");
    expect((await victim.profile()).failed_attempts).toBe(0);
    await replaceSecret(victim, own);
    expect((await victim.verify(victim.code(Date.now()))).status).toBe(200);
  });

  it("by a box of an unknown key version logs that the key is missing", async () => {
    const user = await User.withTotp(await Tenant.create());
    const gone = (await readStoredField(user, "$.totp.sealed")).replace(/^1\./, "9.");
    await replaceSecret(user, gone);
    expect((await user.verify("000000")).status).toBe(503);
    expect(logged.join("\n")).toContain("MissingKeyError");
  });
});

describe("A record in D1", () => {
  it("that was copied from another identity and relabelled does not open", async () => {
    const tenant = await Tenant.create();
    const victim = await User.withTotp(tenant, "victim");
    const attacker = await User.withTotp(tenant, "attacker");
    for (const user of [victim, attacker]) {
      await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), 20_000);
    }
    await env.DB.prepare(
      `UPDATE identities SET state = (
         SELECT json_set(state, '$.id', ?2)
         FROM identities WHERE id = ?1
       ) WHERE id = ?2`,
    )
      .bind(attacker.id, victim.id)
      .run();
    await loseStorage(victim);
    const { status, body } = await victim.verify(attacker.code(Date.now()));
    expect({ status, code: body.code }).toEqual({ status: 503, code: "unavailable" });
  });
});

describe("The hashes of backup codes", () => {
  it("that were copied to another identity accept no code there", async () => {
    const tenant = await Tenant.create();
    const victim = await User.withTotp(tenant, "victim");
    const attacker = await User.withTotp(tenant, "attacker");
    await victim.backupCodes();
    const codes = await attacker.backupCodes();
    const hashes = await readStoredField(attacker, "$.backupCodes");
    await replaceState(victim, `json_set(state, '$.backupCodes', json('${hashes}'))`);
    await evict(victim);
    expect((await victim.verify(codes[0])).body.code).toBe("invalid_code");
    expect((await attacker.verify(codes[0])).status).toBe(200);
  });
});

describe("Sealed boxes of TOTP secrets", () => {
  it("name their key version, and no two share an IV", async () => {
    const user = await User.provision(await Tenant.create());
    const ivs = new Set<string>();
    for (let n = 0; n < 10; n += 1) {
      await user.configure();
      const [version, iv = ""] = (await readStoredField(user, "$.totp.sealed")).split(".");
      expect(version).toBe("1");
      expect(iv).toMatch(/^[\w-]{16}$/);
      ivs.add(iv);
    }
    expect(ivs.size).toBe(10);
  });
});
