/** An import is cut off or meets a fault: the same call, sent again, completes it without a double. */
import { describe, expect, it } from "vitest";
import { Tenant } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import {
  authenticatorsOf,
  createSecret,
  drainAll,
  eventsOf,
  importRows,
  profileOf,
  sendImport,
} from "../support/imports.ts";
import { withLostReplies } from "../support/lost-reply.ts";
import { cutOff, cutPointOf, listCuts } from "../support/steps.ts";
import { maxRunMs } from "../support/survive-cuts.ts";

const names = ["a", "b", "c"];

function createRows() {
  return names.map((external_id) => ({
    external_id,
    authenticators: [{ secret: createSecret() }],
    backup_codes: ["7KQ2-XM4P-0RTZ"],
  }));
}

/** Each user is there once, with one event. */
async function expectImported(tenant: Tenant): Promise<void> {
  for (const name of names) {
    expect(await authenticatorsOf(tenant, name)).toHaveLength(1);
    expect(await profileOf(tenant, name)).toMatchObject({ backup_codes_remaining: 1 });
    const events = (await eventsOf(tenant, name)).map(({ action }) => action);
    expect(events).toEqual(["otp.imported"]);
  }
}

async function expectNobody(tenant: Tenant): Promise<void> {
  for (const name of names) expect((await profileOf(tenant, name)).code).toBe("user_not_found");
}

describe("An import", () => {
  it("is a 503 that has changed nothing while D1 cannot be read", async () => {
    const tenant = await Tenant.create();
    const rows = createRows();
    await tenant.send("GET", "/v1/token");
    for (const fault of ["throws", "fails on single reads only"] as const) {
      const { status, body } = await withD1Fault(fault, () => sendImport(tenant, rows));
      expect([status, body.code]).toEqual([503, "unavailable"]);
      await expectNobody(tenant);
    }
    expect(await importRows(tenant, rows)).toMatchObject(names.map(() => ({ outcome: "created" })));
    await expectImported(tenant);
  });

  it.each(["fails on write", "loses the reply to a write", "hangs on batches only"] as const)(
    "does not need D1 to write: %s",
    async (fault) => {
      const tenant = await Tenant.create();
      const rows = createRows();
      await tenant.send("GET", "/v1/token");
      const { status, body } = await withD1Fault(fault, () => sendImport(tenant, rows));
      expect(status).toBe(200);
      expect(body.results).toMatchObject(names.map(() => ({ outcome: "created" })));
      await drainAll(tenant, names);
      await expectImported(tenant);
    },
  );

  it("whose guards' answers are lost has failed rows, which were imported all the same", async () => {
    const tenant = await Tenant.create();
    const rows = createRows();
    const failed = { outcome: "failed", code: "unavailable" };
    expect(await withLostReplies(() => importRows(tenant, rows))).toMatchObject([
      failed,
      failed,
      failed,
    ]);
    const again = await importRows(tenant, rows, { on_existing: "add" });
    expect(again.map(({ code }) => code)).toEqual(names.map(() => "already_imported"));
    await expectImported(tenant);
  });

  it("with an Idempotency-Key has the first results when it is sent again after lost answers", async () => {
    const tenant = await Tenant.create();
    tenant.requestKey = "import-1";
    const rows = createRows();
    await withLostReplies(() => importRows(tenant, rows));
    const again = await importRows(tenant, rows);
    expect(again).toEqual(names.map((external_id) => ({ external_id, outcome: "created" })));
    tenant.requestKey = undefined;
    await expectImported(tenant);
  });

  it("survives the loss of all guards between any two of its steps", {
    timeout: maxRunMs,
  }, async () => {
    const undisturbed = await Tenant.create();
    const cuts = await listCuts(() => sendImport(undisturbed, createRows()));
    const points = new Set<string>();
    for (const cut of cuts) {
      const tenant = await Tenant.create();
      const rows = createRows();
      const { answer, reached } = await cutOff(cut, () => sendImport(tenant, rows));
      if (reached) points.add(cutPointOf(cut));
      expect([200, 503]).toContain(answer.status);
      const outcomes = answer.status === 200 ? answer.body.results : [];
      const done = outcomes.filter(({ outcome }: { outcome: string }) => outcome === "created");
      for (const { external_id } of done) {
        expect(await authenticatorsOf(tenant, external_id)).toHaveLength(1);
      }
      const again = await importRows(tenant, rows);
      for (const { outcome, code } of again) {
        expect([outcome, code]).toBeOneOf([
          ["created", undefined],
          ["skipped", "user_exists"],
        ]);
      }
      await expectImported(tenant);
    }
    expect([...points]).toContain("before encrypt");
    expect([...points]).toContain("after setAlarm");
  });
});
