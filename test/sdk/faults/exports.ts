/** Audit exports that end early, are cut off, or are read slowly. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EdgeIdp } from "@edge-idp/sdk";
import { errorOf, token } from "./error-of.ts";
import {
  answer,
  beginAnswer,
  cutConnection,
  FaultyServer,
  type Reaction,
  refuse,
} from "./faulty-server.ts";

let server: FaultyServer;
let idp: EdgeIdp;

before(async () => {
  server = await FaultyServer.start();
  idp = new EdgeIdp({ url: server.url, token });
});
after(() => server.close());

function linesOf(from: number, to: number): string {
  const indexes = Array.from({ length: to - from }, (_, offset) => from + offset);
  return indexes.map((index) => `{"leaf_index":${index},"action":"ä"}\n`).join("");
}

function head(size: number): Reaction {
  return answer(200, { checkpoint: { tree_size: size }, sealed_within_seconds: 60 });
}

interface Reading {
  readonly range?: { readonly from?: number; readonly to?: number };
  readonly timeoutMs?: number;
  readonly onEvent?: (leafIndex: number) => void;
}

/** Reads the export to its end, or to its error. */
async function readIndexes({
  range = {},
  timeoutMs = 5_000,
  onEvent = () => {},
}: Reading = {}): Promise<[number[], string?]> {
  const indexes: number[] = [];
  const read = async () => {
    for await (const event of idp.audit.export(range, { timeoutMs })) {
      indexes.push(event.leaf_index);
      onEvent(event.leaf_index);
    }
  };
  const error = await read().then(
    () => undefined,
    (thrown: unknown) => errorOf(Promise.reject(thrown)),
  );
  return error === undefined ? [indexes] : [indexes, error.code];
}

test("an export of several answers is one", async () => {
  server.expect(head(5), answer(200, linesOf(0, 2)), cutConnection, answer(200, linesOf(2, 5)));
  assert.deepEqual(await readIndexes(), [[0, 1, 2, 3, 4]]);
  const paths = server.received.slice(1).map(({ path }) => path);
  const rest = "/v1/audit/export?from=2&to=5";
  assert.deepEqual(paths, ["/v1/audit/export?from=0&to=5", rest, rest]);
});

test("an export ends at the newest checkpoint", async () => {
  server.expect(head(3), answer(200, linesOf(1, 3)));
  assert.deepEqual(await readIndexes({ range: { from: 1, to: 9 } }), [[1, 2]]);
  server.expect(head(3));
  assert.deepEqual(await readIndexes({ range: { from: 3 } }), [[]]);
});

test("an export that was cut off throws after its last event", async () => {
  const body = { error: "The token was revoked.", code: "invalid_token", request_id: "1" };
  server.expect(head(5), answer(200, `${linesOf(0, 2)}${JSON.stringify(body)}\n`));
  assert.deepEqual(await readIndexes(), [[0, 1], "invalid_token"]);
  server.expect(head(5), beginAnswer(linesOf(0, 2), "silence"));
  const onEvent = (leafIndex: number) => {
    if (leafIndex === 1) server.cutConnections();
  };
  assert.deepEqual(await readIndexes({ onEvent }), [[0, 1], "unreachable"]);
  server.expect(head(5), beginAnswer(linesOf(0, 2), "silence"));
  assert.deepEqual(await readIndexes({ timeoutMs: 500 }), [[0, 1], "timeout"]);
  server.expect(head(5), answer(200, ""));
  assert.deepEqual(await readIndexes(), [[], "unexpected_answer"]);
  server.expect(head(5), answer(200, '{"leaf_index":0}\n{"leaf_in'));
  assert.deepEqual(await readIndexes(), [[0], "unexpected_answer"]);
  server.expect(head(5), refuse(403, "insufficient_scope"));
  assert.deepEqual(await readIndexes(), [[], "insufficient_scope"]);
});

test("the time of a slow reader does not count", async () => {
  const timeoutMs = 300;
  server.expect(head(4000), answer(200, linesOf(0, 4000)));
  let count = 0;
  for await (const { leaf_index } of idp.audit.export({}, { timeoutMs })) {
    if (leaf_index === 0) await sleep(2 * timeoutMs);
    count += 1;
  }
  assert.equal(count, 4000);
});

test("the bytes of an export are its lines, and fail like it", async () => {
  server.expect(head(3), answer(200, linesOf(0, 2)), answer(200, linesOf(2, 3)));
  assert.equal(await new Response(idp.audit.exportBytes()).text(), linesOf(0, 3));
  server.expect(head(3), beginAnswer(linesOf(0, 2), "cut"));
  await errorOf(new Response(idp.audit.exportBytes()).text());
});
