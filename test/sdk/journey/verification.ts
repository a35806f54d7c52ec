/** What the tutorial does with `edge-idp audit verify`, with the verifier of the package. */
import { collect, expectEqual } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

/** Verifies the whole trail, one event of it, and that it grew since the call before. */
export async function verifyTrail(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  const { checkpoint: older } = await idp.audit.checkpoint();
  await idp.settings.change({ otp: { enrolment: "confirm" } });
  const newest = await idp.audit.checkpoint();
  const keys = await idp.audit.keys();

  const range = { to: newest.checkpoint.tree_size };
  const saved = {
    read: () => idp.audit.exportBytes(range),
    checkpoint: JSON.stringify(newest),
    older: JSON.stringify(older),
    keys: JSON.stringify(keys),
  };
  const verdict = await sdk.verifyTrail(saved);
  expectEqual("problems of the trail", verdict.problems, []);
  expectEqual("leaves", verdict.leaves, newest.checkpoint.tree_size);

  const text = await new Response(idp.audit.exportBytes(range)).text();
  const edited = new TextEncoder().encode(
    text.replace('"outcome":"success"', '"outcome":"failure"'),
  );
  const read = () => new Blob([edited]).stream();
  const { problems } = await sdk.verifyTrail({ ...saved, read });
  expectEqual(
    "problems of an edited trail",
    problems.map(({ message }) => message),
    ["leaf 0 was changed"],
  );

  const [event] = await collect(idp.audit.events({ limit: 1 }));
  if (event === undefined) throw new Error("The list of events is empty");
  const proof = await idp.audit.proof(event.id);
  const included = await sdk.verifyInclusion({ event, proof, keys });
  expectEqual("problems of an event", included.problems, []);

  const bundle = await idp.audit.bundle(event.id);
  const alone = await sdk.verifyBundle({ bundle });
  expectEqual("a bundle alone", [alone.ok, alone.trustsBundle], [true, true]);
  const pinned = await sdk.verifyBundle({ bundle, keys });
  expectEqual("a bundle with keys", [pinned.ok, pinned.trustsBundle], [true, false]);
  const outcome = "refused" as const;
  const forged = await sdk.verifyBundle({ bundle: { ...bundle, event: { ...event, outcome } } });
  expectEqual(
    "problems of a forged event",
    forged.problems.map(({ message }) => message),
    [`leaf ${event.leaf_index} was changed`],
  );

  const sizes = [older.tree_size, newest.checkpoint.tree_size] as const;
  const consistency = await idp.audit.consistency(...sizes);
  const grown = await sdk.verifyConsistency({ older, newest, proof: consistency, keys });
  expectEqual("problems of the growth", grown.problems, []);
}
