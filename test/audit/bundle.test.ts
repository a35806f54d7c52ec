/** The bundle of one event, verified with the SDK, and attacks on it. */
import type { AuditEventBundle } from "@edge-idp/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { verifyBundle, verifyInclusion } from "../../packages/sdk/src/audit/index.ts";
import { formatBody, formatNote, parseNote } from "../../src/audit/tree/note.ts";
import { encodeUtf8 } from "../../src/crypto/bytes.ts";
import { formatPublicKey } from "../../src/crypto/signing.ts";
import { createForgersKey, forgeBundle, listKeys, makeBundle } from "../support/bundles.ts";
import { Tenant, User } from "../support/client.ts";
import { createEvent } from "../support/made-trail.ts";
import { fetchCheckpoint } from "../support/trail.ts";

async function fetchBundle(tenant: Tenant, id: string): Promise<AuditEventBundle> {
  const { status, body } = await tenant.send("GET", `/v1/audit/events/${id}/bundle`);
  if (status !== 200) throw new Error(`No bundle: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** The bundle of the event of a provisioning, in a log of a few events. */
async function createBundle(): Promise<AuditEventBundle> {
  const tenant = await Tenant.create();
  const user = await User.provision(tenant, "José 👤");
  for (let n = 0; n < 3; n += 1) await User.provision(tenant);
  await fetchCheckpoint(tenant);
  const [event] = await user.events();
  return await fetchBundle(tenant, event.id);
}

async function messagesOf(
  bundle: AuditEventBundle,
  keys?: AuditEventBundle["keys"],
): Promise<readonly string[]> {
  return (await verifyBundle({ bundle, keys })).problems.map(({ message }) => message);
}

describe("verifyBundle", () => {
  let bundle: AuditEventBundle;
  let other: AuditEventBundle;

  beforeAll(async () => {
    bundle = await createBundle();
    other = await createBundle();
  });

  it("accepts a bundle of the service alone, and says that the keys are its own", async () => {
    expect(await verifyBundle({ bundle })).toMatchObject({
      ok: true,
      problems: [],
      trustsBundle: true,
      newest: { publicKey: bundle.keys[0]?.public_key },
    });
    expect(await verifyBundle({ bundle, keys: bundle.keys })).toMatchObject({
      ok: true,
      trustsBundle: false,
    });
  });

  it("accepts a bundle whose bytes were arranged in another way", async () => {
    const pretty: AuditEventBundle = JSON.parse(JSON.stringify(bundle, null, 2));
    expect(await messagesOf(pretty)).toEqual([]);
  });

  it("refuses the proof of another index, and the proof and the checkpoint of another log", async () => {
    const next = { ...bundle.proof, leaf_index: bundle.proof.leaf_index + 1 };
    expect(await messagesOf({ ...bundle, proof: next })).toEqual([
      `the proof is not about leaf ${bundle.event.leaf_index}, event ${bundle.event.id}`,
      "the proof does not lead to the root in the checkpoint",
    ]);
    const moved = { ...bundle.event, leaf_index: next.leaf_index };
    expect(await messagesOf({ ...bundle, event: moved, proof: next })).toEqual([
      "the proof does not lead to the root in the checkpoint",
    ]);
    expect(await messagesOf({ ...bundle, checkpoint: other.checkpoint })).toEqual([
      "the proof does not lead to the root in the checkpoint",
    ]);
    const { proof, checkpoint } = other;
    expect(await messagesOf({ ...bundle, proof, checkpoint })).toEqual([
      `the proof is not about leaf ${bundle.event.leaf_index}, event ${bundle.event.id}`,
    ]);
  });

  it("refuses a checkpoint that names another log than its signed note", async () => {
    const { origin, note } = bundle.checkpoint;
    const elsewhere = other.checkpoint.origin;
    expect(
      await messagesOf({ ...bundle, checkpoint: { ...bundle.checkpoint, origin: elsewhere } }),
    ).toEqual(["the checkpoint says something else beside its signed note than in it"]);
    const renamed = note.replaceAll(origin, elsewhere);
    const checkpoint = { ...bundle.checkpoint, origin: elsewhere, note: renamed };
    expect(await messagesOf({ ...bundle, checkpoint })).toEqual([
      "the checkpoint is not signed by the key that it names",
    ]);
  });

  it("refuses a forger's bundle if the keys come from elsewhere, and only then", async () => {
    const forged = await forgeBundle(bundle);
    const forgersKey = forged.checkpoint.public_key;
    expect(await messagesOf(forged, bundle.keys)).toEqual([
      `the checkpoint is signed by a key that is not among --keys: ${forgersKey}`,
    ]);
    expect(await verifyBundle({ bundle: forged })).toMatchObject({ ok: true, trustsBundle: true });
    expect(await messagesOf({ ...forged, keys: bundle.keys })).toEqual([
      `the checkpoint is signed by a key that is not among the keys in the bundle: ${forgersKey}`,
    ]);
  });

  it("accepts a checkpoint of a key that was replaced since, and refuses a key that is not known yet", async () => {
    const older = bundle.checkpoint.public_key;
    const newer = await createForgersKey();
    const newerText = formatPublicKey(newer.publicKey);
    expect(await messagesOf(bundle, listKeys(newerText, older))).toEqual([]);
    const head = parseNote(bundle.checkpoint.note);
    if (head === undefined) throw new Error("The checkpoint has no note");
    const note = formatNote(head, newer.publicKey, await newer.sign(formatBody(head)));
    const signedAnew = {
      ...bundle,
      checkpoint: { ...bundle.checkpoint, public_key: newerText, note },
    };
    expect(await messagesOf(signedAnew, listKeys(newerText, older))).toEqual([]);
    expect(await messagesOf(signedAnew, listKeys(older))).toEqual([
      `the checkpoint is signed by a key that is not among --keys: ${newerText}`,
    ]);
  });

  it("has no verdict about something that is no bundle, or one of another version", async () => {
    const { checkpoint: _, ...cut } = bundle;
    const named = { ...bundle, event: { ...bundle.event, name: "backend" } };
    for (const [value, message] of [
      [null, "must be an object"],
      [{ ...bundle, format: "else" }, "format is not edge-idp/audit-bundle"],
      [{ ...bundle, version: 2 }, "has version 2, and this verifier reads version 1"],
      [cut, "checkpoint is missing"],
      [named, "event.name is not a member"],
      [{ ...bundle, keys: [] }, "The list of keys"],
    ] as const) {
      const given: AuditEventBundle = JSON.parse(JSON.stringify(value));
      await expect(verifyBundle({ bundle: given })).rejects.toThrow(message);
    }
  });
});

describe("An event whose personal parts are gone", () => {
  const parts = { external_id: "somebody", nonce: "0f".repeat(16) };

  async function problemsWith(change: object): Promise<readonly string[]> {
    const bundle = await makeBundle([createEvent(0, parts)], 0);
    const { target } = bundle.event;
    const gone = { personal: null, target: { ...target, external_id: null } };
    return await messagesOf({ ...bundle, event: { ...bundle.event, ...gone, ...change } });
  }

  it("is proved if they were erased or have expired, also by a build without `expired`", async () => {
    expect(await problemsWith({ erased: true })).toEqual([]);
    expect(await problemsWith({ erased: true, expired: false })).toEqual([]);
    expect(await problemsWith({ erased: false, expired: true })).toEqual([]);
  });

  it("is not proved if nothing says why, or the flags contradict the rest", async () => {
    expect(await problemsWith({ erased: false })).toEqual([
      "leaf 0: its personal parts were changed and open no more",
    ]);
    const contrary = "leaf 0: `expired` says the contrary of the rest";
    expect(await problemsWith({ erased: true, expired: true })).toEqual([contrary]);
    const bundle = await makeBundle([createEvent(0, parts)], 0);
    const shown = { ...bundle, event: { ...bundle.event, expired: true } };
    expect(await messagesOf(shown)).toEqual([contrary]);
  });
});

describe("Any single changed byte", () => {
  const masks = [0x01, 0x20, 0x80];

  it("before the keys of a bundle is found", async () => {
    const bundle = await createBundle();
    const bytes = encodeUtf8(JSON.stringify(bundle));
    const end = JSON.stringify(bundle).indexOf('"keys":[');
    const below = encodeUtf8(JSON.stringify(bundle).slice(0, end)).length;
    const decoder = new TextDecoder();
    const isAccepted = async (changed: Uint8Array) => {
      try {
        return (await verifyBundle({ bundle: JSON.parse(decoder.decode(changed)) })).ok;
      } catch {
        return false;
      }
    };
    expect(await isAccepted(bytes)).toBe(true);
    const accepted: string[] = [];
    for (let at = 0; at < below; at += 1) {
      for (const mask of masks) {
        const changed = Uint8Array.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ mask;
        if (await isAccepted(changed))
          accepted.push(`${at}: ${decoder.decode(changed.slice(at - 9, at + 9))}`);
      }
    }
    expect(below).toBeGreaterThan(1_000);
    expect(accepted).toEqual([]);
  });
});

describe("verifyInclusion with a checkpoint from elsewhere", () => {
  it("accepts one of the same tree, and says which tree another one covers", async () => {
    const { event, proof, checkpoint } = await createBundle();
    const answer = { proof, checkpoint };
    expect(await verifyInclusion({ event, proof: answer, checkpoint })).toMatchObject({ ok: true });
    const { checkpoint: foreign } = await createBundle();
    const size = foreign.tree_size;
    const smaller = { proof: { ...proof, tree_size: size + 1 }, checkpoint };
    const verdict = await verifyInclusion({ event, proof: smaller, checkpoint: foreign });
    expect(verdict.problems).toEqual([
      {
        leaf: event.leaf_index,
        kind: "tree",
        message: `the proof is for a tree of ${size + 1} leaves, and the checkpoint covers ${size}`,
      },
    ]);
  });
});
