/** The proofs of the API, verified with the SDK together with event, checkpoint and keys. */
import { beforeAll, describe, expect, it } from "vitest";
import { verifyConsistency, verifyInclusion } from "../../packages/sdk/src/audit/index.ts";
import { signingKeyOf } from "../../src/crypto/signing.ts";
import { Tenant, User } from "../support/client.ts";
import { createTrail, seedOf, signCheckpoint } from "../support/made-trail.ts";
import { fetchCheckpoint } from "../support/trail.ts";

type Verification = Promise<{ readonly problems: readonly object[] }>;

async function problemsOf(verification: Verification): Promise<readonly object[]> {
  return (await verification).problems;
}

describe("verifyInclusion", () => {
  let event: Parameters<typeof verifyInclusion>[0]["event"];
  let proof: Parameters<typeof verifyInclusion>[0]["proof"];
  let keys: NonNullable<Parameters<typeof verifyInclusion>[0]["keys"]>;

  beforeAll(async () => {
    const tenant = await Tenant.create();
    for (let n = 0; n < 4; n += 1) await User.provision(tenant);
    await fetchCheckpoint(tenant);
    const { body } = await tenant.send("GET", "/v1/audit/events?action=user.provisioned");
    event = body.events[1];
    proof = (await tenant.send("GET", `/v1/audit/events/${event.id}/proof`)).body;
    keys = (await tenant.send("GET", "/v1/audit/keys")).body;
  });

  it("accepts an event of the list, and one of the export", async () => {
    const verdict = await verifyInclusion({ event, proof, keys });
    expect(verdict).toMatchObject({ ok: true, problems: [], older: undefined });
    expect(verdict.newest?.head.size).toBe(proof.checkpoint.tree_size);
    const exported = { ...event, leaf_hash: proof.proof.leaf_hash };
    expect(await problemsOf(verifyInclusion({ event: exported, proof }))).toEqual([]);
  });

  it("names an event that was changed, or to which the proof does not belong", async () => {
    const changed = { ...event, outcome: "refused" as const };
    const leaf = event.leaf_index;
    expect(await problemsOf(verifyInclusion({ event: changed, proof }))).toEqual([
      { leaf, kind: "changed", message: `leaf ${leaf} was changed` },
    ]);
    const target = { ...event.target, external_id: "somebody else" };
    expect(await problemsOf(verifyInclusion({ event: { ...event, target }, proof }))).toEqual([
      { leaf, kind: "personal", message: `leaf ${leaf}: external_id is not its own` },
    ]);
    const later = { ...event, leaf_index: leaf + 1 };
    expect(await problemsOf(verifyInclusion({ event: later, proof }))).toMatchObject([
      { kind: "changed", message: expect.stringContaining("is not about leaf") },
    ]);
  });

  it("refuses a proof that leads elsewhere, even if event and leaf agree", async () => {
    for (const change of [{ hashes: proof.proof.hashes.toReversed() }, { hashes: [] }]) {
      const other = { ...proof, proof: { ...proof.proof, ...change } };
      expect(await problemsOf(verifyInclusion({ event, proof: other }))).toMatchObject([
        { kind: "tree", message: "the proof does not lead to the root in the checkpoint" },
      ]);
    }
    const { tree_size } = proof.proof;
    const smaller = { ...proof, proof: { ...proof.proof, tree_size: tree_size - 1 } };
    expect(await problemsOf(verifyInclusion({ event, proof: smaller }))).toMatchObject([
      {
        kind: "tree",
        message: `the proof is for a tree of ${tree_size - 1} leaves, and the checkpoint covers ${tree_size}`,
      },
    ]);
  });

  it("refuses a checkpoint that is forged, or signed by an unknown key", async () => {
    const { checkpoint } = await createTrail();
    const forged = { ...proof, checkpoint: { ...proof.checkpoint, note: checkpoint.note } };
    expect(await problemsOf(verifyInclusion({ event, proof: forged }))).toMatchObject([
      { kind: "checkpoint", message: "the checkpoint is not signed by the key that it names" },
    ]);
    const known = { version: 1, algorithm: "Ed25519" as const, current: true };
    const others = [{ ...known, public_key: checkpoint.public_key }];
    expect(await problemsOf(verifyInclusion({ event, proof, keys: others }))).toMatchObject([
      { kind: "key", message: expect.stringContaining("not among --keys") },
    ]);
  });

  it("says which of the things given is not an answer of the API", async () => {
    const broken = { ...event, actor: { ...event.actor, id: "\ud800" } };
    const added = { ...event, more: 1 };
    const noHash = { ...proof, proof: { ...proof.proof, hashes: ["00"] } };
    await expect(verifyInclusion({ event: broken, proof })).rejects.toThrow(
      "The event given has a value that no leaf can have",
    );
    await expect(verifyInclusion({ event: added, proof })).rejects.toThrow(
      "The event given is not one of the audit trail: more is not a member",
    );
    await expect(verifyInclusion({ event, proof: noHash })).rejects.toThrow(
      "The proof given is not an answer of GET /v1/audit/events/{id}/proof: proof.hashes.0 must be a SHA-256 hash in hex",
    );
    await expect(verifyInclusion({ event, proof, keys: [] })).rejects.toMatchObject({
      name: "CannotVerifyError",
    });
  });
});

describe("verifyConsistency", () => {
  it("accepts a proof between two kept checkpoints, and no other", async () => {
    const tenant = await Tenant.create();
    await User.provision(tenant);
    const older = await fetchCheckpoint(tenant);
    for (let n = 0; n < 3; n += 1) await User.provision(tenant);
    const newest = (await tenant.send("GET", "/v1/audit/checkpoint")).body;
    const path = `/v1/audit/consistency?from=${older.tree_size}`;
    const { proof } = (await tenant.send("GET", path)).body;
    expect(await verifyConsistency({ older, newest, proof })).toMatchObject({ ok: true });
    const whole = { proof };
    expect(await verifyConsistency({ older, newest, proof: whole })).toMatchObject({ ok: true });

    const elsewhere = {
      leaf: null,
      kind: "rewritten",
      message:
        "the proof does not show that the newer tree begins with the leaves of the older checkpoint",
    };
    for (const change of [{ hashes: [] }, { to: proof.to + 1 }, { from: proof.from - 1 }]) {
      const other = { ...proof, ...change };
      expect(await problemsOf(verifyConsistency({ older, newest, proof: other }))).toEqual([
        elsewhere,
      ]);
    }
  });

  it("accepts the proof of equal trees, which is empty, and no history that was signed anew", async () => {
    const { events, checkpoint } = await createTrail(9);
    const proof = { from: 9, to: 9, hashes: [] };
    const same = { older: checkpoint, newest: { checkpoint, sealed_within_seconds: 60 }, proof };
    expect(await problemsOf(verifyConsistency(same))).toEqual([]);
    const rewritten = await signCheckpoint(events.toReversed());
    expect(
      await problemsOf(verifyConsistency({ older: checkpoint, newest: rewritten, proof })),
    ).toMatchObject([{ kind: "rewritten" }]);
  });

  it("does not compare checkpoints that are of two logs, the wrong way round, or forged", async () => {
    const { events, checkpoint } = await createTrail(9);
    const proof = { from: 9, to: 9, hashes: [] };
    const foreign = await signCheckpoint(events, 9, undefined, "f".repeat(24));
    const smaller = await signCheckpoint(events, 8);
    const key = await signingKeyOf(seedOf(2));
    const otherKey = await signCheckpoint(events, 9, key);
    const verify = async (older: typeof checkpoint, newest = checkpoint) =>
      await problemsOf(verifyConsistency({ older, newest, proof }));
    expect(await verify(foreign)).toMatchObject([{ kind: "checkpoint" }]);
    expect(await verify(checkpoint, smaller)).toMatchObject([{ kind: "checkpoint" }]);
    expect(await verify({ ...checkpoint, tree_size: 8 })).toMatchObject([{ kind: "checkpoint" }]);
    expect(await verify(otherKey)).toMatchObject([{ kind: "key" }]);
  });

  it("needs the older checkpoint", async () => {
    const { checkpoint } = await createTrail(9);
    const forgetful = JSON.parse(
      JSON.stringify({ newest: checkpoint, proof: { from: 9, to: 9, hashes: [] } }),
    );
    await expect(verifyConsistency(forgetful)).rejects.toThrow(
      "The older checkpoint given is not a saved answer of GET /v1/audit/checkpoint.",
    );
  });
});
