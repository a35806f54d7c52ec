import { env } from "cloudflare:workers";
import { hex } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifyTrail } from "../../scripts/support/audit-files.ts";
import { digestPersonalParts, encodeLeaf, type NoncedParts } from "../../src/audit/leaf.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { hashLeaf, TreeHasher } from "../../src/audit/tree/merkle.ts";
import { formatBody, formatNote, originOf } from "../../src/audit/tree/note.ts";
import { toHex, utf8 } from "../../src/crypto/bytes.ts";
import { deriveId } from "../../src/crypto/id.ts";
import { formatPublicKey, type SigningKey, signingKeyOf } from "../../src/crypto/signing.ts";
import { runBatch } from "../../src/db/client.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import { Tenant } from "../support/client.ts";
import {
  problemsOf,
  type SavedTrail,
  saveCheckpoint,
  saveTrail,
  verifySavedTrail,
} from "../support/saved-trail.ts";

const tenantId = "6908bffd1c2e4a5b9d7f0a31";
const startedAt = Date.parse("2026-03-01T12:00:00Z");

/** An event as the export shows it, but for its hash in the tree. */
interface Unhashed {
  readonly id: string;
  readonly at: string;
  readonly actor: { readonly type: string; readonly id: string | null };
  readonly action: string;
  readonly target: {
    readonly type: string;
    readonly id: string;
    readonly external_id: string | null;
  };
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly details: Readonly<Record<string, string | number>>;
  readonly leaf_index: number;
  readonly personal: NoncedParts | null;
  readonly personal_digest: string | null;
  readonly erased: boolean;
}

interface Shown extends Unhashed {
  readonly leaf_hash: string;
}

function seed(fill: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(fill);
}

/** As the tree has it; made of the fields one by one, not as the verifier does it. */
function hashed(event: Unhashed): Shown {
  const { id, at, actor, action, outcome, reason, request_id, details, personal_digest } = event;
  const target = { type: event.target.type, id: event.target.id };
  const leaf = { id, at, actor, action, target, outcome, reason, request_id, details };
  return { ...event, leaf_hash: toHex(hashLeaf(encodeLeaf({ ...leaf, personal_digest }))) };
}

/** An event made without the service. */
function shownEvent(n: number, parts: NoncedParts | null, changes: Partial<Unhashed> = {}): Shown {
  return hashed({
    id: deriveId(startedAt + n, n, "test"),
    at: new Date(startedAt + n).toISOString(),
    actor: { type: "api_token", id: tenantId },
    action: "otp.verified",
    target: { type: "identity", id: "a".repeat(24), external_id: parts?.external_id ?? null },
    outcome: "failure",
    reason: "invalid_code",
    request_id: `request ${n}`,
    details: { method: "totp", failed_attempts: n },
    leaf_index: n,
    personal: parts,
    personal_digest: parts === null ? null : digestPersonalParts(parts),
    erased: parts === null,
    ...changes,
  });
}

function shownEvents(count: number): Shown[] {
  return Array.from({ length: count }, (_, n) => {
    // U+2028 ends a line for some readers of lines; é and the emoji are cut by small chunks.
    const parts = { external_id: `é\u2028👤 ${n % 5}`, nonce: "0f".repeat(16) };
    return shownEvent(n, n % 3 === 0 ? null : parts);
  });
}

function exportOf(events: readonly object[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}

/** The checkpoint over the first leaves, signed by a key of ours. */
async function checkpointOver(
  events: readonly Shown[],
  size = events.length,
  key?: SigningKey,
  tenant = tenantId,
) {
  const { publicKey, sign } = key ?? (await signingKeyOf(seed(1)));
  const tree = new TreeHasher();
  for (const event of events.slice(0, size)) {
    tree.append(hex.decode(event.leaf_hash));
  }
  const head = { origin: originOf(tenant), size, root: tree.root(), signedAt: startedAt };
  return {
    origin: head.origin,
    tree_size: size,
    root_hash: toHex(head.root),
    sealed_at: new Date(startedAt).toISOString(),
    public_key: formatPublicKey(publicKey),
    note: formatNote(head, publicKey, await sign(formatBody(head))),
  };
}

/** A good trail, saved. */
async function savedTrail(count = 12, size = count) {
  const events = shownEvents(count);
  const checkpoint = await checkpointOver(events, size);
  return { events, checkpoint, saved: asSaved(events, checkpoint) };
}

function asSaved(
  events: readonly object[],
  checkpoint: object,
  kept: Partial<SavedTrail> = {},
): SavedTrail {
  return { exported: exportOf(events), checkpoint: JSON.stringify({ checkpoint }), ...kept };
}

describe("The verifier", () => {
  it("accepts a whole export, with the checkpoint as answered or as the bare object", async () => {
    const { saved, checkpoint } = await savedTrail();
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, problems: [], leaves: 12 });
    const bare = { ...saved, checkpoint: JSON.stringify(checkpoint, null, 2) };
    expect(await verifySavedTrail(bare)).toMatchObject({ ok: true });
    // A newline at the very end is no part of the last line.
    expect(
      await verifySavedTrail({
        ...saved,
        exported: exportOf((await savedTrail()).events).trimEnd(),
      }),
    ).toMatchObject({ ok: true });
  });

  it("accepts any order of names within a line", async () => {
    const { events, checkpoint } = await savedTrail();
    const turned = events.map((event) => Object.fromEntries(Object.entries(event).toReversed()));
    expect(await verifySavedTrail(asSaved(turned, checkpoint))).toMatchObject({ ok: true });
  });

  it("accepts leaves beyond the checkpoint, and any older checkpoint of the log", async () => {
    const { events, checkpoint } = await savedTrail(12, 9);
    for (let size = 0; size <= 9; size += 1) {
      const older = JSON.stringify(await checkpointOver(events, size));
      expect(await verifySavedTrail(asSaved(events, checkpoint, { older }))).toMatchObject({
        ok: true,
        leaves: 12,
        newest: { head: { size: 9 } },
      });
    }
  });

  it("verifies hundreds of real events across tiles, with older checkpoints", async () => {
    const tenant = await Tenant.create();
    const config = requireConfig(env);
    const db = await findTenantDb(env, tenant.id);
    const older: string[] = [];
    for (const count of [250, 300, 60]) {
      const events = await stampEvents(
        config.auditSigningKeys,
        Array.from({ length: count }, (_, n) => ({
          id: deriveId(startedAt, n, String(count)),
          tenantId: tenant.id,
          at: startedAt + n,
          actor: { type: "system" as const, id: null },
          action: "settings.changed" as const,
          target: { type: "tenant" as const, id: tenant.id },
          personal: null,
          outcome: "success" as const,
          reason: null,
          requestId: null,
          details: { changed: `é\u2028 ${n}` },
        })),
      );
      await runBatch(db, [insertEvents(db, tenant.id, events)]);
      older.push(await saveCheckpoint(tenant));
    }
    const saved = await saveTrail(tenant);
    for (const kept of older) {
      expect(await verifySavedTrail({ ...saved, older: kept })).toMatchObject({
        ok: true,
        leaves: 612,
      });
    }
  });

  it("reads the export once where all is well", async () => {
    const { saved } = await savedTrail();
    const bytes = utf8(String(saved.exported));
    let reads = 0;
    const read = async function* () {
      reads += 1;
      yield bytes;
    };
    expect(await verifyTrail({ read, checkpoint: saved.checkpoint })).toMatchObject({ ok: true });
    expect(reads).toBe(1);
  });
});

describe("Any single changed byte", () => {
  /** A byte of a text replaced by another. */
  const mutation = fc.record({
    at: fc.nat(),
    by: fc.integer({ min: 1, max: 255 }),
  });

  function mutated(bytes: Uint8Array, { at, by }: { at: number; by: number }): Uint8Array {
    const changed = Uint8Array.from(bytes);
    const place = at % changed.length;
    changed[place] = (changed[place] ?? 0) ^ by;
    return changed;
  }

  it("of the export is found", async () => {
    const { saved } = await savedTrail(5);
    const bytes = utf8(String(saved.exported));
    await fc.assert(
      fc.asyncProperty(mutation, async (change) => {
        expect((await verifySavedTrail({ ...saved, exported: mutated(bytes, change) })).ok).toBe(
          false,
        );
      }),
      { numRuns: 1_500 },
    );
  });

  it("of the checkpoint is found", async () => {
    const { saved, checkpoint } = await savedTrail(5);
    const bytes = utf8(JSON.stringify(checkpoint));
    const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
    await fc.assert(
      fc.asyncProperty(mutation, async (change) => {
        const text = decoder.decode(mutated(bytes, change));
        const verdict = await verifySavedTrail({ ...saved, checkpoint: text }).catch(
          ({ name }) => name,
        );
        if (verdict !== "Failure") expect(verdict).toMatchObject({ ok: false });
      }),
      { numRuns: 600 },
    );
  });

  it("of the note is found, whatever stands beside it", async () => {
    const { saved, checkpoint } = await savedTrail(5);
    await fc.assert(
      fc.asyncProperty(mutation, async (change) => {
        const note = new TextDecoder().decode(mutated(utf8(checkpoint.note), change));
        const text = JSON.stringify({ ...checkpoint, note });
        expect(await problemsOf({ ...saved, checkpoint: text })).toHaveLength(1);
      }),
      { numRuns: 600 },
    );
  });
});

describe("A line of the export", () => {
  /** The export with its third line replaced. */
  async function withLine(change: (line: string) => string): Promise<string[]> {
    const { saved } = await savedTrail(4);
    const lines = String(saved.exported).split("\n");
    lines[2] = change(lines[2] ?? "");
    return await problemsOf({ ...saved, exported: lines.join("\n") });
  }

  it("that is no JSON is told by its number, not by a stack", async () => {
    for (const line of ["", "x", "{", '{"a":', "\ufeff{}", "[".repeat(100_000)]) {
      expect(await withLine(() => line)).toEqual([
        "malformed 2: line 3 is not JSON, or is cut off",
      ]);
    }
  });

  it("must be written as the service writes it", async () => {
    for (const change of [
      (line: string) => line.replace(":", ": "),
      (line: string) => `${line}\r`,
      (line: string) => line.replace('"leaf_index":2', '"leaf_index":2.0'),
      (line: string) => line.replace('"failed_attempts":2', '"failed_attempts":2e0'),
      (line: string) => line.replace("totp", "\\u0074otp"),
      (line: string) => line.replace('"outcome":', '"outcome":"success","outcome":'),
      (line: string) => line.replace('"method":', '"method":"backup","method":'),
      (line: string) => line.replace('"failed_attempts":2', '"failed_attempts":1e999'),
    ]) {
      expect(await withLine(change)).toEqual([
        "malformed 2: line 3 is not written as the service writes it",
      ]);
    }
  });

  it("must have the shape of an event, without a field too many", async () => {
    for (const change of [
      (line: string) => line.replace("{", '{"more":1,'),
      (line: string) => line.replace("{", '{"__proto__":1,'),
      (line: string) => line.replace('"nonce"', '"salt":"","nonce"'),
      (line: string) => line.replace('"failed_attempts":2', '"failed_attempts":{}'),
      (line: string) => line.replace('"failed_attempts":2', '"failed_attempts":[]'),
      (line: string) => line.replace('"leaf_index":2', '"leaf_index":-1'),
      (line: string) => line.replace('"leaf_index":2', '"leaf_index":"2"'),
      (line: string) => line.replace('"reason":"invalid_code",', ""),
      () => "null",
      () => "[]",
      () => '{"error":{"code":"invalid_token"}}',
    ]) {
      expect(await withLine(change)).toEqual([
        expect.stringMatching(/^malformed 2: line 3 is not an exported event: ./),
      ]);
    }
  });

  it("may hide nothing under a name that readers pass over", async () => {
    const hidden = '"failed_attempts":2,"__proto__":"x"';
    expect(await withLine((line) => line.replace('"failed_attempts":2', hidden))).toEqual([
      "changed 2: leaf 2 was changed",
    ]);
  });

  it("is given up where it does not end", async () => {
    const { saved } = await savedTrail(4);
    const exported = `${saved.exported}${"x".repeat(1_100_000)}`;
    expect(await problemsOf({ ...saved, exported })).toEqual([
      "malformed 4: line 5 is not JSON, or is cut off",
    ]);
  });

  it("that is cut off is told", async () => {
    const { saved } = await savedTrail(4);
    expect(await problemsOf({ ...saved, exported: String(saved.exported).slice(0, -20) })).toEqual([
      "malformed 3: line 4 is not JSON, or is cut off",
    ]);
  });

  it("must be valid UTF-8, also where the text would read the same", async () => {
    const exact = [shownEvent(0, null, { request_id: "\ufffd" }), shownEvent(1, null)];
    const { exported, ...files } = asSaved(exact, await checkpointOver(exact));
    const bytes = utf8(String(exported));
    expect(await verifySavedTrail({ ...files, exported: bytes })).toMatchObject({ ok: true });
    const at = bytes.indexOf(0xef);
    const broken = new Uint8Array([...bytes.subarray(0, at), 0xff, ...bytes.subarray(at + 3)]);
    expect(await problemsOf({ ...files, exported: broken })).toEqual([
      "malformed 0: line 1 is not JSON, or is cut off",
    ]);
  });
});

describe("Leaves", () => {
  it("that are missing, doubled or out of order are named", async () => {
    const { events, checkpoint } = await savedTrail(8);
    const told = async (changed: readonly Shown[]) =>
      await problemsOf(asSaved(changed, checkpoint));
    expect(await told([])).toEqual([
      "missing 0: leaves 0 to 7 are missing (or the export was taken before the checkpoint)",
    ]);
    expect(await told(events.slice(0, 7))).toEqual([
      "missing 7: leaf 7 is missing (or the export was taken before the checkpoint)",
    ]);
    expect(await told(events.slice(3))).toEqual([
      "missing 0: leaves 0 to 2 are missing; only an export from leaf 0 on can be verified",
    ]);
    expect(await told(events.toSpliced(4, 1))).toEqual(["missing 4: leaf 4 is missing"]);
    expect(await told(events.toSpliced(3, 0, ...events.slice(2, 3)))).toEqual([
      "order 2: leaf 2 appears twice or out of order, where leaf 3 belongs",
    ]);
    expect(await told([...events.slice(0, 1), ...events.slice(1, 3).toReversed()])).toEqual([
      "missing 1: leaf 1 is missing",
    ]);
  });

  it("that were changed are named before what is missing, ten at most", async () => {
    const { events, checkpoint } = await savedTrail(30);
    const changed = events.map((event) => ({ ...event, reason: null })).toSpliced(20, 1);
    const problems = await problemsOf(asSaved(changed, checkpoint));
    expect(problems).toEqual([
      ...Array.from({ length: 10 }, (_, n) => `changed ${n}: leaf ${n} was changed`),
      "missing 20: leaf 20 is missing",
    ]);
  });

  it("without a hash in the tree are named, and judged by the root all the same", async () => {
    const { events, checkpoint } = await savedTrail(3);
    const bare = events.map((event) => ({ ...event, leaf_hash: null }));
    const none = [0, 1, 2].map((n) => `tree ${n}: leaf ${n}: the tree has no hash for it`);
    expect(await problemsOf(asSaved(bare, checkpoint))).toEqual(none);
    const changed = bare.map((event) => ({ ...event, outcome: "success" }));
    expect(await problemsOf(asSaved(changed, checkpoint))).toEqual([
      ...none,
      expect.stringMatching(/^rewritten -: /),
    ]);
  });
});

describe("Personal parts", () => {
  async function withEvent(change: (event: Shown) => object): Promise<string[]> {
    const { events, checkpoint } = await savedTrail(4);
    return await problemsOf(
      asSaved(
        events.map((event, n) => (n === 2 ? change(event) : event)),
        checkpoint,
      ),
    );
  }

  it("must be those of the digest", async () => {
    const told = ["personal 2: leaf 2: its personal parts are not those that were sealed"];
    const swap = (parts: object) => (event: Shown) => ({
      ...event,
      personal: { ...event.personal, ...parts },
    });
    expect(await withEvent(swap({ nonce: "00" }))).toEqual(told);
    expect(await withEvent(swap({ address: "198.51.100.7" }))).toEqual(told);
    expect(
      await withEvent((event) => ({
        ...swap({ external_id: "another" })(event),
        target: { ...event.target, external_id: "another" },
      })),
    ).toEqual(told);
  });

  it("must agree with the external_id of the target and with `erased`", async () => {
    expect(
      await withEvent((event) => ({ ...event, target: { ...event.target, external_id: "x" } })),
    ).toEqual(["personal 2: leaf 2: external_id is not its own"]);
    expect(await withEvent((event) => ({ ...event, erased: true }))).toEqual([
      "personal 2: leaf 2: `erased` says the contrary of the rest",
    ]);
    const target = { type: "identity", id: "a".repeat(24), external_id: null };
    expect(await withEvent((event) => ({ ...event, personal: null, target }))).toEqual([
      "personal 2: leaf 2: its personal parts were changed and open no more",
    ]);
  });

  it("may be gone where an erasure of the same target follows under the checkpoint", async () => {
    const gone = shownEvents(4).map((event) => ({
      ...event,
      personal: null,
      erased: true,
      target: { ...event.target, external_id: null },
    }));
    const told =
      "personal 1: leaf 1: its personal parts are gone, and no erasure follows (if the user was erased just now, take checkpoint and export again)";
    const followedBy = async (outcome: string, id: string, size: number) => {
      const target = { type: "identity", id, external_id: null };
      const events = [...gone, shownEvent(4, null, { action: "user.erased", outcome, target })];
      return await problemsOf(asSaved(events, await checkpointOver(events, size)));
    };
    expect(await followedBy("success", "a".repeat(24), 5)).toEqual([]);
    expect(await followedBy("success", "a".repeat(24), 4)).toEqual([told]);
    expect(await followedBy("refused", "a".repeat(24), 5)).toEqual([told]);
    expect(await followedBy("success", "b".repeat(24), 5)).toEqual([told]);
  });
});

describe("A checkpoint", () => {
  it("counts only by its note: what stands beside it must say the same", async () => {
    const { saved, checkpoint } = await savedTrail();
    for (const other of [
      { origin: originOf("0".repeat(24)) },
      { tree_size: 13 },
      { root_hash: "0".repeat(64) },
      { sealed_at: "2026-03-01T12:00:00Z" },
    ]) {
      const text = JSON.stringify({ checkpoint: { ...checkpoint, ...other } });
      expect(await problemsOf({ ...saved, checkpoint: text })).toEqual([
        "checkpoint -: the checkpoint says something else beside its signed note than in it",
      ]);
    }
  });

  it("must be signed by the key that it names", async () => {
    const { saved, checkpoint } = await savedTrail();
    const { publicKey } = await signingKeyOf(seed(2));
    for (const key of [formatPublicKey(publicKey), "", "AAAA", "no base64"]) {
      const text = JSON.stringify({ ...checkpoint, public_key: key });
      expect(await problemsOf({ ...saved, checkpoint: text })).toEqual([
        "checkpoint -: the checkpoint is not signed by the key that it names",
      ]);
    }
    const text = JSON.stringify({ ...checkpoint, note: "edge-idp/audit/x" });
    expect(await problemsOf({ ...saved, checkpoint: text })).toEqual([
      "checkpoint -: the note of the checkpoint is not one of an audit log",
    ]);
  });

  it("that is no saved answer cannot be used at all", async () => {
    const { saved } = await savedTrail();
    const told = "The checkpoint given is not a saved answer of GET /v1/audit/checkpoint.";
    for (const text of ["", "x", "{}", "null", '{"checkpoint":{"note":""}}']) {
      await expect(verifySavedTrail({ ...saved, checkpoint: text })).rejects.toThrow(told);
    }
    await expect(verifySavedTrail({ ...saved, keys: '{"keys":[]}' })).rejects.toThrow(
      "The list of keys given is not a saved answer of GET /v1/audit/keys.",
    );
  });

  it("from earlier must be of the same log, and not cover more", async () => {
    const { saved, events } = await savedTrail(12, 9);
    const foreign = await checkpointOver(events, 9, undefined, "f".repeat(24));
    expect(await problemsOf({ ...saved, older: JSON.stringify(foreign) })).toEqual([
      `checkpoint -: the older checkpoint is of another log: edge-idp/audit/${"f".repeat(24)}, not edge-idp/audit/${tenantId}`,
    ]);
    const larger = await checkpointOver(events, 12);
    expect(await problemsOf({ ...saved, older: JSON.stringify(larger) })).toEqual([
      "checkpoint -: the older checkpoint covers 12 leaves and the newer one 9: the log was cut, or the two files are the wrong way round",
    ]);
  });

  it("from earlier under another key needs the service's keys", async () => {
    const [old, current, alien] = await Promise.all([2, 1, 3].map((n) => signingKeyOf(seed(n))));
    const { saved, events } = await savedTrail(12, 12);
    const older = JSON.stringify(await checkpointOver(events, 7, old));
    const keysOf = (...list: (SigningKey | undefined)[]) =>
      JSON.stringify({
        keys: list.map((key, n) => ({
          version: list.length - n,
          algorithm: "Ed25519",
          public_key: formatPublicKey(key?.publicKey ?? new Uint8Array(32)),
          current: n === 0,
        })),
      });
    expect(await problemsOf({ ...saved, older })).toEqual([
      "key -: the older checkpoint is signed by another key; if the service has changed its key, say with --keys which ones are its own",
    ]);
    expect(await problemsOf({ ...saved, older, keys: keysOf(current, old) })).toEqual([]);
    const text = formatPublicKey(old?.publicKey ?? new Uint8Array());
    expect(await problemsOf({ ...saved, older, keys: keysOf(current) })).toEqual([
      `key -: the older checkpoint is signed by a key that is not among --keys: ${text}`,
    ]);
    expect((await verifySavedTrail({ ...saved, keys: keysOf(alien) })).problems).toMatchObject([
      { kind: "key", leaf: null },
    ]);
  });
});
