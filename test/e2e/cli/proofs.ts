/** `edge-idp audit verify` of one event and of two checkpoints, without the service. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { forgeBundle } from "../../support/bundles.ts";
import type { CheckedTenant } from "./tenants.ts";
import type { World } from "./world.ts";

const verify = ["audit", "verify"];

/** Saves values as files, and returns their paths. */
function saveAll<Name extends string>(
  folder: string,
  values: Readonly<Record<Name, object>>,
): (name: Name) => string {
  const pathOf = (name: string) => join(folder, `${name}.proof.json`);
  for (const [name, value] of Object.entries(values)) {
    writeFileSync(pathOf(name), JSON.stringify(value));
  }
  return pathOf;
}

export async function checkProofs(
  { commands, report, scratch }: World,
  { idp }: CheckedTenant,
): Promise<void> {
  await idp.users.provision("with a proof \u202e");
  const { checkpoint: older } = await idp.audit.checkpoint();
  const query = { externalUserId: "with a proof \u202e" };
  const { items } = await idp.audit.events(query).page();
  const [event] = items;
  if (event === undefined) throw new Error("The list of events is empty");
  const proof = await idp.audit.proof(event.id);
  await idp.users.provision("later than the proof");
  const newest = await idp.audit.checkpoint();
  const bundle = await idp.audit.bundle(event.id);
  const forged = await forgeBundle(bundle);
  const changed = { ...event, outcome: "failure" };
  const path = saveAll(scratch, {
    ...{ bundle, forged, event, changed, proof, older, newest },
    keys: { keys: await idp.audit.keys() },
    line: { ...event, leaf_hash: proof.proof.leaf_hash },
    bundleOfChanged: { ...bundle, event: { ...bundle.event, outcome: "failure" } },
    growth: { proof: await idp.audit.consistency(older.tree_size, newest.checkpoint.tree_size) },
  });
  const known = ["--keys", path("keys")];
  const proven = new RegExp(`^VERIFIED: leaf ${event.leaf_index} of the log is this event`, "m");

  const shown = await commands.check(
    "a bundle is verified with known keys",
    [...verify, "--bundle", path("bundle"), ...known],
    { code: 0, output: proven },
  );
  const isPrintable = shown.includes('user="with a proof \\u{202e}"') && !shown.includes("\u202e");
  report.add("a bundle shows the event that it proves", isPrintable ? [] : [shown]);
  await commands.check(
    "a bundle alone says whose keys it has",
    [...verify, "--bundle", path("bundle")],
    {
      code: 0,
      output:
        /^VERIFIED, if the key above is the service's: [\s\S]*The keys come from the bundle itself/m,
    },
  );
  await commands.check(
    "a forger's bundle is refused",
    [...verify, "--bundle", path("forged"), ...known],
    {
      code: 1,
      output: /^NOT VERIFIED\n {2}the checkpoint is signed by a key that is not among --keys/m,
    },
  );
  await commands.check(
    "a changed bundle is refused",
    [...verify, "--bundle", path("bundleOfChanged")],
    {
      code: 1,
      output: new RegExp(`^NOT VERIFIED\\n  leaf ${event.leaf_index} was changed\\n$`, "m"),
    },
  );
  await commands.check("a bundle in JSON", [...verify, "--bundle", path("bundle"), "--json"], {
    code: 0,
    output: /^\{"ok":true,"problems":\[\],.*"keys":"bundle"\}\n$/,
  });

  for (const [title, files] of [
    ["an event is verified with its proof", [path("event")]],
    ["a line of an export, and a checkpoint", [path("line"), path("older")]],
  ] as const) {
    await commands.check(title, [...verify, "--proof", path("proof"), ...files, ...known], {
      code: 0,
      output: proven,
    });
  }
  await commands.check(
    "a changed event is found by its proof",
    [...verify, "--proof", path("proof"), path("changed")],
    { code: 1, output: /^NOT VERIFIED\n {2}leaf \d+ was changed$/m },
  );
  await commands.check(
    "a checkpoint of another size is named",
    [...verify, "--proof", path("proof"), path("event"), path("newest")],
    { code: 1, output: /the proof is for a tree of \d+ leaves, and the checkpoint covers \d+/ },
  );

  const consistency = [...verify, "--consistency", path("growth")];
  await commands.check(
    "a log only grew",
    [...consistency, path("older"), path("newest"), ...known],
    {
      code: 0,
      output: new RegExp(`^VERIFIED: the log begins with the ${older.tree_size} leaves of`, "m"),
    },
  );
  await commands.check(
    "checkpoints the wrong way round",
    [...consistency, path("newest"), path("older")],
    {
      code: 1,
      output: /the log was cut, or the two files are the wrong way round/,
    },
  );

  for (const [title, args] of [
    ["a bundle that is none", ["--bundle", path("event")]],
    ["a file too many", ["--bundle", path("bundle"), path("event")]],
    ["a proof without its event", ["--proof", path("proof")]],
    ["one checkpoint", ["--consistency", path("growth"), path("older")]],
    ["two kinds at once", ["--bundle", path("bundle"), "--proof", path("proof")]],
    ["no file at all", []],
  ] as const) {
    await commands.check(`${title} gives no verdict`, [...verify, ...args], {
      code: 2,
      errors: /./,
    });
  }
}
