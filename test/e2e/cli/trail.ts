/** The journey of a security officer: following, saving and verifying a trail. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CheckedTenant } from "./tenants.ts";
import type { World } from "./world.ts";

const stack = /^\s+at .*:\d+:\d+\)?$/m;

/** A tail goes on through a restart of the service, and ends with Ctrl-C. */
export async function checkTail(world: World, { tokenFile, idp }: CheckedTenant): Promise<void> {
  const { commands, report, service } = world;
  const authority = ["--token-file", tokenFile, "--url", service().url];
  // Both begin in the past, so that they cannot begin too late.
  const tail = ["trail", "tail", "--since", "1h", ...authority];
  const all = commands.start([...tail, "--json"]);
  const filtered = commands.start([...tail, "--action", "user.provisioned"]);
  const hasBegun = await all.until(() => all.output.includes('"tenant.created"'));
  await idp.users.provision("before-the-restart");
  const hasSeen = await filtered.until(() => filtered.output.includes('user="before-the-restart"'));
  await world.restart();
  await idp.users.provision("after-the-restart");
  const goesOn = await filtered.until(() => filtered.output.includes('user="after-the-restart"'));
  const allGoOn = await all.until(() => all.output.includes("after-the-restart"));
  const wereClean = await Promise.all([all.end("SIGINT"), filtered.end("SIGINT")]);
  const codes = await Promise.all([all.ended, filtered.ended]);
  const lines = all.output
    .trimEnd()
    .split("\n")
    .map((line): { id: string } => JSON.parse(line));
  const others = filtered.output.split("\n").filter((line) => !line.includes("user.provisioned"));
  report.add("a tail shows events as they arrive, also after a restart of the service", [
    ...(hasBegun && hasSeen && goesOn && allGoOn
      ? []
      : [all.output + filtered.output + filtered.errors]),
    ...(new Set(lines.map(({ id }) => id)).size === lines.length ? [] : ["an event came twice"]),
    ...(others.join("") === "" ? [] : [`the filter let through: ${others.join("\n")}`]),
  ]);
  report.add("Ctrl-C ends a tail without an error", [
    ...(wereClean.every(Boolean) && codes.every((code) => code === 0) ? [] : [`exit ${codes}`]),
    ...(stack.test(all.errors + filtered.errors) ? [all.errors + filtered.errors] : []),
  ]);
}

/** A reader that has read enough ends a tail at its next event. */
export async function checkClosedPipe(
  { commands, report, service }: World,
  { tokenFile, idp }: CheckedTenant,
): Promise<void> {
  const authority = `--token-file '${tokenFile}' --url '${service().url}'`;
  const piped = commands.startInShell(
    `$edge_idp trail tail ${authority} --since 1h | head -n 1; echo "exit \${PIPESTATUS[0]}"`,
  );
  await piped.until(() => piped.output !== "");
  await idp.users.provision("after-the-pipe");
  await piped.until(() => piped.output.includes("exit"));
  await piped.ended;
  const isRight = piped.output.endsWith("\nexit 0\n") && piped.errors === "";
  report.add(
    "a closed pipe ends a tail without an error",
    isRight ? [] : [piped.output + piped.errors],
  );
}

export async function checkAudit(
  { commands, report, scratch, service }: World,
  { tokenFile, idp }: CheckedTenant,
): Promise<void> {
  const folder = join(scratch, "trail");
  const save = ["audit", "export", "--token-file", tokenFile, "--url", service().url, "--out"];
  await commands.check("a trail is saved", [...save, folder], {
    code: 0,
    output: /^\d+ events: .*export\.ndjson$[\s\S]*audit verify/m,
  });
  await commands.check("a saved checkpoint is not replaced", [...save, folder], {
    code: 1,
    errors: /exists, and is not replaced/,
  });
  const [exported, checkpoint, keys] = ["export.ndjson", "checkpoint.json", "keys.json"].map(
    (name) => join(folder, name),
  );
  if (exported === undefined || checkpoint === undefined || keys === undefined) return;
  report.add(
    "only its owner can read the saved trail",
    (statSync(exported).mode & 0o077) === 0 ? [] : ["others can read it"],
  );
  const verify = ["audit", "verify"];
  await commands.check("the trail is verified", [...verify, exported, checkpoint, "--keys", keys], {
    code: 0,
    output: /^VERIFIED: /m,
  });
  const changed = join(scratch, "changed.ndjson");
  writeFileSync(
    changed,
    readFileSync(exported, "utf8").replace("user.provisioned", "user.suspended"),
  );
  await commands.check("a changed event is found", [...verify, changed, checkpoint], {
    code: 1,
    output: /^NOT VERIFIED[\s\S]*leaf \d+ was changed/m,
  });
  await commands.check(
    "the verdict in JSON has the same exit code",
    [...verify, changed, checkpoint, "--json"],
    { code: 1, output: /^\{"ok":false/ },
  );
  await idp.users.provision("after-the-checkpoint");
  const later = join(scratch, "later");
  await commands.check("a later export is saved elsewhere", [...save, later], {
    code: 0,
    output: /events/,
  });
  await commands.check(
    "it is verified with the older checkpoint",
    [...verify, join(later, "export.ndjson"), join(later, "checkpoint.json"), checkpoint],
    { code: 0, output: /^Older: /m },
  );
  for (const [title, args] of [
    ["a file that is not there", [join(scratch, "nothing.ndjson"), checkpoint]],
    ["a checkpoint that is none", [exported, exported]],
    ["an argument that is missing", [exported]],
    ["an option that does not exist", [exported, checkpoint, "--key", keys]],
  ] as const) {
    await commands.check(`${title} gives no verdict`, [...verify, ...args], {
      code: 2,
      errors: /./,
    });
  }
}
