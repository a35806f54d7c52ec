import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifyTrail } from "../../packages/sdk/src/audit/index.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { originOf } from "../../src/audit/tree/note.ts";
import { encodeUtf8 } from "../../src/crypto/bytes.ts";
import { deriveId } from "../../src/crypto/id.ts";
import { formatPublicKey, type SigningKey, signingKeyOf } from "../../src/crypto/signing.ts";
import { runBatch } from "../../src/db/client.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import { Tenant } from "../support/client.ts";
import {
  createEvent,
  createEvents,
  createTrail,
  type ExportedEvent,
  exportOf,
  seedOf,
  signCheckpoint,
  startedAt,
  tenantId,
  toSaved,
} from "../support/made-trail.ts";
import { problemsOf, saveCheckpoint, saveTrail, verifySavedTrail } from "../support/saved-trail.ts";

describe("The verifier", () => {
  it("accepts a complete export, with the checkpoint as answered or as a bare object", async () => {
    const { saved, checkpoint } = await createTrail();
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, problems: [], leaves: 12 });
    const bare = { ...saved, checkpoint: JSON.stringify(checkpoint, null, 2) };
    expect(await verifySavedTrail(bare)).toMatchObject({ ok: true });
    // The final newline is optional.
    expect(
      await verifySavedTrail({
        ...saved,
        exported: exportOf((await createTrail()).events).trimEnd(),
      }),
    ).toMatchObject({ ok: true });
  });

  it("accepts the fields of a line in any order", async () => {
    const { events, checkpoint } = await createTrail();
    const reversed = events.map((event) => Object.fromEntries(Object.entries(event).toReversed()));
    expect(await verifySavedTrail(toSaved(reversed, checkpoint))).toMatchObject({ ok: true });
  });

  it("accepts leaves beyond the checkpoint, and any older checkpoint of the log", async () => {
    const { events, checkpoint } = await createTrail(12, 9);
    for (let size = 0; size <= 9; size += 1) {
      const older = JSON.stringify(await signCheckpoint(events, size));
      expect(await verifySavedTrail(toSaved(events, checkpoint, { older }))).toMatchObject({
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
    for (const text of older) {
      expect(await verifySavedTrail({ ...saved, older: text })).toMatchObject({
        ok: true,
        leaves: 612,
      });
    }
  });

  it("reads a stream of the web, as a file of a browser is one, and closes it", async () => {
    const { saved } = await createTrail();
    const { checkpoint } = saved;
    const read = () => new Blob([String(saved.exported)]).stream();
    expect(await verifyTrail({ read, checkpoint })).toMatchObject({ ok: true, leaves: 12 });
    let isClosed = false;
    const readLonger = async () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(encodeUtf8("x\n")),
        cancel: () => {
          isClosed = true;
        },
      });
    expect(await verifyTrail({ read: readLonger, checkpoint })).toMatchObject({ ok: false });
    expect(isClosed).toBe(true);
  });

  it("reads the export only once if it finds no problem", async () => {
    const { saved } = await createTrail();
    const bytes = encodeUtf8(String(saved.exported));
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
  /** Which byte of a text is changed, and with which mask. */
  const mutation = fc.record({
    at: fc.nat(),
    by: fc.integer({ min: 1, max: 255 }),
  });

  function mutate(bytes: Uint8Array, { at, by }: { at: number; by: number }): Uint8Array {
    const changed = Uint8Array.from(bytes);
    const index = at % changed.length;
    changed[index] = (changed[index] ?? 0) ^ by;
    return changed;
  }

  it("of the export is found", async () => {
    const { saved } = await createTrail(5);
    const bytes = encodeUtf8(String(saved.exported));
    await fc.assert(
      fc.asyncProperty(mutation, async (change) => {
        expect((await verifySavedTrail({ ...saved, exported: mutate(bytes, change) })).ok).toBe(
          false,
        );
      }),
      { numRuns: 1_500 },
    );
  });

  it("of the checkpoint is found", async () => {
    const { saved, checkpoint } = await createTrail(5);
    const bytes = encodeUtf8(JSON.stringify(checkpoint));
    const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
    await fc.assert(
      fc.asyncProperty(mutation, async (change) => {
        const text = decoder.decode(mutate(bytes, change));
        const verdict = await verifySavedTrail({ ...saved, checkpoint: text }).catch(
          ({ name }) => name,
        );
        if (verdict !== "CannotVerifyError") expect(verdict).toMatchObject({ ok: false });
      }),
      { numRuns: 600 },
    );
  });

  it("of the note is found, although the fields beside it are unchanged", async () => {
    const { saved, checkpoint } = await createTrail(5);
    await fc.assert(
      fc.asyncProperty(mutation, async (change) => {
        const note = new TextDecoder().decode(mutate(encodeUtf8(checkpoint.note), change));
        const text = JSON.stringify({ ...checkpoint, note });
        expect(await problemsOf({ ...saved, checkpoint: text })).toHaveLength(1);
      }),
      { numRuns: 600 },
    );
  });
});

describe("A line of the export", () => {
  /** Verifies the export with its third line replaced. @returns the problems */
  async function verifyWithLine(change: (line: string) => string): Promise<string[]> {
    const { saved } = await createTrail(4);
    const lines = String(saved.exported).split("\n");
    lines[2] = change(lines[2] ?? "");
    return await problemsOf({ ...saved, exported: lines.join("\n") });
  }

  it("that is not JSON is reported by its number, without a stack trace", async () => {
    for (const line of ["", "x", "{", '{"a":', "\ufeff{}", "[".repeat(100_000)]) {
      expect(await verifyWithLine(() => line)).toEqual([
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
      expect(await verifyWithLine(change)).toEqual([
        "malformed 2: line 3 is not written as the service writes it",
      ]);
    }
  });

  it("must have exactly the fields of an event", async () => {
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
      expect(await verifyWithLine(change)).toEqual([
        expect.stringMatching(/^malformed 2: line 3 is not an exported event: ./),
      ]);
    }
    const change = (line: string) => line.replace(/"id":"a+"/, '"id":0');
    expect(await verifyWithLine(change)).toEqual([
      "malformed 2: line 3 is not an exported event: target.id must be a string",
    ]);
  });

  it("cannot hide anything under a name that parsers skip", async () => {
    const hidden = '"failed_attempts":2,"__proto__":"x"';
    expect(await verifyWithLine((line) => line.replace('"failed_attempts":2', hidden))).toEqual([
      "changed 2: leaf 2 was changed",
    ]);
  });

  it("is rejected when it does not end", async () => {
    const { saved } = await createTrail(4);
    const exported = `${saved.exported}${"x".repeat(1_100_000)}`;
    expect(await problemsOf({ ...saved, exported })).toEqual([
      "malformed 4: line 5 is not JSON, or is cut off",
    ]);
  });

  it("that is cut off is reported", async () => {
    const { saved } = await createTrail(4);
    expect(await problemsOf({ ...saved, exported: String(saved.exported).slice(0, -20) })).toEqual([
      "malformed 3: line 4 is not JSON, or is cut off",
    ]);
  });

  it("must be valid UTF-8, even if the decoded text would be the same", async () => {
    const exact = [createEvent(0, null, { request_id: "\ufffd" }), createEvent(1, null)];
    const { exported, ...files } = toSaved(exact, await signCheckpoint(exact));
    const bytes = encodeUtf8(String(exported));
    expect(await verifySavedTrail({ ...files, exported: bytes })).toMatchObject({ ok: true });
    const at = bytes.indexOf(0xef);
    const broken = new Uint8Array([...bytes.subarray(0, at), 0xff, ...bytes.subarray(at + 3)]);
    expect(await problemsOf({ ...files, exported: broken })).toEqual([
      "malformed 0: line 1 is not JSON, or is cut off",
    ]);
  });
});

describe("An export that the service cut off", () => {
  it("is reported with the code of the error body in its last line", async () => {
    const { events, checkpoint } = await createTrail(8);
    const saved = toSaved(events.slice(0, 7), checkpoint);
    const body = { error: "Temporarily unavailable.", code: "unavailable", request_id: "r" };
    const exported = `${saved.exported}${JSON.stringify(body)}\n`;
    expect(await problemsOf({ ...saved, exported })).toEqual([
      "malformed 7: line 8 says that the export was cut off (unavailable); delete the line, and request the rest",
    ]);
  });
});

describe("Leaves", () => {
  it("that are missing, duplicated or out of order are named", async () => {
    const { events, checkpoint } = await createTrail(8);
    const findProblems = async (changed: readonly ExportedEvent[]) =>
      await problemsOf(toSaved(changed, checkpoint));
    expect(await findProblems([])).toEqual([
      "missing 0: leaves 0 to 7 are missing (or the export is incomplete: request the rest with from=0)",
    ]);
    expect(await findProblems(events.slice(0, 7))).toEqual([
      "missing 7: leaf 7 is missing (or the export is incomplete: request the rest with from=7)",
    ]);
    expect(await findProblems(events.slice(3))).toEqual([
      "missing 0: leaves 0 to 2 are missing; only an export from leaf 0 on can be verified",
    ]);
    expect(await findProblems(events.toSpliced(4, 1))).toEqual(["missing 4: leaf 4 is missing"]);
    expect(await findProblems(events.toSpliced(3, 0, ...events.slice(2, 3)))).toEqual([
      "order 2: leaf 2 appears twice or out of order, where leaf 3 belongs",
    ]);
    expect(await findProblems([...events.slice(0, 1), ...events.slice(1, 3).toReversed()])).toEqual(
      ["missing 1: leaf 1 is missing"],
    );
  });

  it("that were changed are named before missing ones, ten at most", async () => {
    const { events, checkpoint } = await createTrail(30);
    const changed = events.map((event) => ({ ...event, reason: null })).toSpliced(20, 1);
    const problems = await problemsOf(toSaved(changed, checkpoint));
    expect(problems).toEqual([
      ...Array.from({ length: 10 }, (_, n) => `changed ${n}: leaf ${n} was changed`),
      "missing 20: leaf 20 is missing",
    ]);
  });

  it("without a hash in the tree are named, and still verified by the root", async () => {
    const { events, checkpoint } = await createTrail(3);
    const bare = events.map((event) => ({ ...event, leaf_hash: null }));
    const none = [0, 1, 2].map((n) => `tree ${n}: leaf ${n}: the tree has no hash for it`);
    expect(await problemsOf(toSaved(bare, checkpoint))).toEqual(none);
    const changed = bare.map((event) => ({ ...event, outcome: "success" }));
    expect(await problemsOf(toSaved(changed, checkpoint))).toEqual([
      ...none,
      expect.stringMatching(/^rewritten -: /),
    ]);
  });
});

describe("Personal parts", () => {
  async function verifyWithEvent(change: (event: ExportedEvent) => object): Promise<string[]> {
    const { events, checkpoint } = await createTrail(4);
    return await problemsOf(
      toSaved(
        events.map((event, n) => (n === 2 ? change(event) : event)),
        checkpoint,
      ),
    );
  }

  it("must match their digest", async () => {
    const expected = ["personal 2: leaf 2: its personal parts are not those that were sealed"];
    const swap = (parts: object) => (event: ExportedEvent) => ({
      ...event,
      personal: { ...event.personal, ...parts },
    });
    expect(await verifyWithEvent(swap({ nonce: "00" }))).toEqual(expected);
    expect(await verifyWithEvent(swap({ address: "198.51.100.7" }))).toEqual(expected);
    expect(
      await verifyWithEvent((event) => ({
        ...swap({ external_id: "another" })(event),
        target: { ...event.target, external_id: "another" },
      })),
    ).toEqual(expected);
  });

  it("must agree with the external_id of the target and with `erased`", async () => {
    expect(
      await verifyWithEvent((event) => ({
        ...event,
        target: { ...event.target, external_id: "x" },
      })),
    ).toEqual(["personal 2: leaf 2: external_id is not its own"]);
    expect(await verifyWithEvent((event) => ({ ...event, erased: true }))).toEqual([
      "personal 2: leaf 2: `erased` says the contrary of the rest",
    ]);
    const target = { type: "identity", id: "a".repeat(24), external_id: null };
    expect(await verifyWithEvent((event) => ({ ...event, personal: null, target }))).toEqual([
      "personal 2: leaf 2: its personal parts were changed and open no more",
    ]);
  });

  it("may be missing if the checkpoint covers a later erasure of the same target", async () => {
    const erasedEvents = createEvents(4).map((event) => ({
      ...event,
      personal: null,
      erased: true,
      target: { ...event.target, external_id: null },
    }));
    const problem =
      "personal 1: leaf 1: its personal parts are gone, and no erasure follows (if the user was erased just now, take checkpoint and export again)";
    const verifyFollowedBy = async (
      outcome: string,
      id: string,
      size: number,
      action = "user.erased",
    ) => {
      const target = { type: "identity", id, external_id: null };
      const events = [...erasedEvents, createEvent(4, null, { action, outcome, target })];
      return await problemsOf(toSaved(events, await signCheckpoint(events, size)));
    };
    expect(await verifyFollowedBy("success", "a".repeat(24), 5)).toEqual([]);
    expect(await verifyFollowedBy("success", "a".repeat(24), 4)).toEqual([problem]);
    expect(await verifyFollowedBy("refused", "a".repeat(24), 5)).toEqual([problem]);
    expect(await verifyFollowedBy("success", "b".repeat(24), 5)).toEqual([problem]);
    expect(await verifyFollowedBy("success", tenantId, 5, "tenant.deleted")).toEqual([]);
    expect(await verifyFollowedBy("refused", tenantId, 5, "tenant.deleted")).toEqual([problem]);
  });
});

describe("A checkpoint", () => {
  it("must say the same in its fields as in its signed note", async () => {
    const { saved, checkpoint } = await createTrail();
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
    const { saved, checkpoint } = await createTrail();
    const { publicKey } = await signingKeyOf(seedOf(2));
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

  it("that is not a saved answer cannot be used", async () => {
    const { saved } = await createTrail();
    const error = "The checkpoint given is not a saved answer of GET /v1/audit/checkpoint.";
    for (const text of ["", "x", "{}", "null", '{"checkpoint":{"note":""}}']) {
      await expect(verifySavedTrail({ ...saved, checkpoint: text })).rejects.toThrow(error);
    }
    await expect(verifySavedTrail({ ...saved, keys: '{"keys":[]}' })).rejects.toThrow(
      "The list of keys given is not a saved answer of GET /v1/audit/keys.",
    );
  });

  it("that is given as the older one must be of the same log, and not cover more", async () => {
    const { saved, events } = await createTrail(12, 9);
    const foreign = await signCheckpoint(events, 9, undefined, "f".repeat(24));
    expect(await problemsOf({ ...saved, older: JSON.stringify(foreign) })).toEqual([
      `checkpoint -: the older checkpoint is of another log: edge-idp/audit/${"f".repeat(24)}, not edge-idp/audit/${tenantId}`,
    ]);
    const larger = await signCheckpoint(events, 12);
    expect(await problemsOf({ ...saved, older: JSON.stringify(larger) })).toEqual([
      "checkpoint -: the older checkpoint covers 12 leaves and the newer one 9: the log was cut, or the two files are the wrong way round",
    ]);
  });

  it("that is given as the older one under another key needs the service's keys", async () => {
    const [old, current, alien] = await Promise.all([2, 1, 3].map((n) => signingKeyOf(seedOf(n))));
    const { saved, events } = await createTrail(12, 12);
    const older = JSON.stringify(await signCheckpoint(events, 7, old));
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
