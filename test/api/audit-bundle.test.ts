import { describe, expect, it } from "vitest";
import { verifyBundle } from "../../packages/sdk/src/audit/index.ts";
import { send, Tenant, User } from "../support/client.ts";
import { fetchCheckpoint, sql } from "../support/trail.ts";

const bundleOf = (id: string) => `/v1/audit/events/${id}/bundle`;

describe("The bundle of an event", () => {
  it("has the event as it is listed, without the name of the token, and verifies alone", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await fetchCheckpoint(tenant);
    const [listed] = await user.events();
    const { status, body } = await tenant.send("GET", bundleOf(listed.id));
    expect(status).toBe(200);
    const { name, ...actor } = listed.actor;
    expect(name).toEqual(expect.any(String));
    expect(body).toMatchObject({ format: "edge-idp/audit-bundle", version: 1 });
    expect(body.event).toEqual({ ...listed, actor });
    const { body: proof } = await tenant.send("GET", `/v1/audit/events/${listed.id}/proof`);
    expect({ proof: body.proof, checkpoint: body.checkpoint }).toEqual(proof);
    const { keys } = (await tenant.send("GET", "/v1/audit/keys")).body;
    expect(body.keys).toEqual(keys);
    expect(await verifyBundle({ bundle: body, keys })).toMatchObject({ ok: true });
  });

  it("covers an event from just before the request", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const [event] = await user.events();
    const { body } = await tenant.send("GET", bundleOf(event.id));
    expect(await verifyBundle({ bundle: body })).toMatchObject({ ok: true });
  });

  it("of an erased user verifies without the personal parts, which it does not have", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant, "canary-26");
    const [event] = await user.events();
    const before = (await tenant.send("GET", bundleOf(event.id))).body;
    expect(JSON.stringify(before)).toContain("canary-26");
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    const after = (await tenant.send("GET", bundleOf(event.id))).body;
    expect(JSON.stringify(after)).not.toContain("canary-26");
    expect(after.event).toMatchObject({ personal: null, erased: true });
    for (const bundle of [before, after]) {
      expect(await verifyBundle({ bundle })).toMatchObject({ ok: true });
    }
  });

  it("of an event of the tenant itself has the person for whom the request acted", async () => {
    const tenant = await Tenant.create();
    const answer = await send("PATCH", "/v1/settings", {
      token: tenant.token,
      body: { settings: { otp: { enrolment: "confirm" } } },
      headers: { "Acting-For": "agent-7" },
    });
    expect(answer.status).toBe(200);
    const query = "action=settings.changed";
    const [event] = (await tenant.send("GET", `/v1/audit/events?${query}`)).body.events;
    const { body } = await tenant.send("GET", bundleOf(event.id));
    expect(body.event.target).toEqual({ type: "tenant", id: tenant.id, external_id: null });
    expect(body.event.actor.acting_for).toBe("agent-7");
    expect(await verifyBundle({ bundle: body })).toMatchObject({ ok: true });
  });

  it("is not found where the proof is not, and unavailable where the proof is", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    const user = await User.provision(tenant);
    const [event] = await user.events();
    for (const path of [event.id, "0".repeat(24), "x"]) {
      expect((await other.send("GET", bundleOf(path))).status).toBe(404);
    }
    await sql("UPDATE audit_events SET at = 1 WHERE target_id = ?", user.id);
    const ask = async (what: string) =>
      await tenant.send("GET", `/v1/audit/events/${event.id}/${what}`);
    const [proof, bundle] = [await ask("proof"), await ask("bundle")];
    expect(bundle.status).toBe(503);
    const { request_id: _, ...error } = bundle.body;
    expect(proof.body).toMatchObject(error);
    expect(error).toMatchObject({ code: "unavailable", error: expect.stringMatching(/try again/) });
  });
});
