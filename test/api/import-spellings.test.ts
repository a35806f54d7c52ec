/** Secrets in any spelling over HTTP, rows that are sent again, and imports at the same time. */
import { base32, base64, base64url, hex } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tenant } from "../support/client.ts";
import { readTables } from "../support/guard-snapshot.ts";
import {
  authenticatorsOf,
  createSecret,
  drainAll,
  eventsOf,
  idOf,
  importRows,
  otpauthCode,
  outcomesOf,
  verifyFor,
} from "../support/imports.ts";

const add = { on_existing: "add" };

function spell(bytes: Uint8Array) {
  const secret = base32.encode(bytes);
  const plain = secret.replace(/=+$/, "");
  return [
    { secret },
    { secret: plain.toLowerCase() },
    { secret: plain.replaceAll(/(.{4})/g, "$1 "), encoding: "base32" },
    { secret: hex.encode(bytes), encoding: "hex" },
    { secret: hex.encode(bytes).toUpperCase(), encoding: "hex" },
    { secret: base64.encode(bytes), encoding: "base64" },
    { secret: base64url.encode(bytes).replace(/=+$/, ""), encoding: "base64" },
    { uri: `otpauth://totp/Acme:alice?secret=${plain}&issuer=Acme` },
    { uri: `otpauth://totp/alice?secret=${plain.toLowerCase()}`, secret },
  ];
}

const parameters = fc.record({
  algorithm: fc.constantFrom("SHA1", "SHA256", "SHA512"),
  digits: fc.constantFrom(6, 7, 8),
  period: fc.constantFrom(15, 30, 60),
});

describe("A secret", () => {
  it("is the same in every spelling, and has the codes of its bytes", async () => {
    const tenant = await Tenant.create();
    let users = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 10, maxLength: 128 }),
        fc.nat(8),
        parameters,
        async (bytes, first, how) => {
          users += 1;
          const external_id = `user-${users}`;
          const spelled = spell(bytes).map((one) => ({
            external_id,
            authenticators: [{ ...one, ...how }],
          }));
          const [created = spelled[0]] = spelled.slice(first);
          expect(await outcomesOf(tenant, [created ?? {}])).toEqual(["created"]);
          expect(await outcomesOf(tenant, spelled, add)).toEqual(
            spelled.map(() => "skipped already_imported"),
          );
          const code = otpauthCode(base32.encode(bytes).replace(/=+$/, ""), Date.now(), how);
          expect((await verifyFor(tenant, external_id, code)).status).toBe(200);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("is another one with other parameters", async () => {
    const tenant = await Tenant.create();
    const secret = createSecret();
    const rows = [{}, { digits: 8 }, { algorithm: "SHA256" }, { period: 60 }].map((how) => ({
      external_id: "a",
      authenticators: [{ secret, ...how }],
    }));
    expect(await outcomesOf(tenant, rows, add)).toEqual(["created", "added", "added", "added"]);
    expect(await authenticatorsOf(tenant, "a")).toHaveLength(4);
  });
});

describe("Rows that are sent again", () => {
  it("change nothing, also not in the guard or in the trail", async () => {
    const tenant = await Tenant.create();
    const names = ["a", "b"];
    const rows = names.map((external_id) => ({
      external_id,
      authenticators: [{ secret: createSecret() }, { secret: createSecret(), digits: 8 }],
      backup_codes: ["7KQ2-XM4P-0RTZ", "ABCD-1234"],
    }));
    await importRows(tenant, rows);
    await drainAll(tenant, names);
    const look = async () => ({
      guards: await Promise.all(
        names.map(async (name) => await readTables({ tenant, id: await idOf(tenant, name) })),
      ),
      events: await Promise.all(names.map((name) => eventsOf(tenant, name))),
    });
    const before = await look();
    for (const options of [{}, add, { ...add, dry_run: true }]) {
      const outcomes = await outcomesOf(tenant, rows, options);
      expect(outcomes.every((outcome) => outcome.startsWith("skipped"))).toBe(true);
    }
    expect(await look()).toEqual(before);
  });

  it("get the first answer with the same Idempotency-Key", async () => {
    const tenant = await Tenant.create();
    tenant.requestKey = "import-1";
    const row = { external_id: "a", authenticators: [{ secret: createSecret() }] };
    expect(await outcomesOf(tenant, [row])).toEqual(["created"]);
    expect(await outcomesOf(tenant, [row])).toEqual(["created"]);
    const { status, body } = await tenant.send("POST", "/v1/idp/users/import", {
      users: [{ external_id: "b" }],
    });
    expect([status, body.code]).toEqual([422, "idempotency_mismatch"]);
  });

  it("may be tried dry with the same key first", async () => {
    const tenant = await Tenant.create();
    tenant.requestKey = "import-1";
    const row = { external_id: "a" };
    expect(await outcomesOf(tenant, [row], { dry_run: true })).toEqual(["created"]);
    expect(await outcomesOf(tenant, [row])).toEqual(["created"]);
  });
});

describe("A user who is imported by twenty calls at once", () => {
  it("is created once, with one event", async () => {
    const tenant = await Tenant.create();
    const secret = createSecret();
    const row = { external_id: "a", authenticators: [{ secret }] };
    const all = await Promise.all(Array.from({ length: 20 }, () => outcomesOf(tenant, [row])));
    expect(all.flat().toSorted()).toEqual([
      "created",
      ...Array.from({ length: 19 }, () => "skipped user_exists"),
    ]);
    expect(await eventsOf(tenant, "a")).toHaveLength(1);
    expect(await authenticatorsOf(tenant, "a")).toHaveLength(1);
  });

  it("gets each secret once, and five at most", async () => {
    const tenant = await Tenant.create();
    const secrets = Array.from({ length: 7 }, () => createSecret());
    const rows = Array.from({ length: 21 }, (_, n) => ({
      external_id: "a",
      authenticators: [{ secret: secrets[n % 7] }],
    }));
    const outcomes = (await Promise.all(rows.map((row) => outcomesOf(tenant, [row], add)))).flat();
    expect(await authenticatorsOf(tenant, "a")).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === "created" || outcome === "added")).toHaveLength(
      5,
    );
    expect(outcomes.filter((outcome) => outcome === "failed too_many")).toHaveLength(6);
    const events = await eventsOf(tenant, "a");
    const added = events.reduce((sum, { details }) => sum + details.authenticators, 0);
    expect(added).toBe(5);
  });

  it("is created by the import or by provisioning, and not by both", async () => {
    const tenant = await Tenant.create();
    const provision = () => tenant.send("POST", "/v1/idp/users", { user: { external_id: "a" } });
    const row = { external_id: "a", authenticators: [{ secret: createSecret() }] };
    const results = await Promise.all(
      Array.from({ length: 10 }, async (_, n) =>
        n % 2 === 0 ? outcomesOf(tenant, [row]) : [String((await provision()).status)],
      ),
    );
    expect(results.flat().filter((one) => one === "created" || one === "201")).toHaveLength(1);
  });
});
