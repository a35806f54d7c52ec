/** The rotation of a key, with every refusal. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "./world.ts";

const rotate = ["keys", "rotate"];

export async function checkKeys({
  commands,
  project,
  scratch,
  service,
  restart,
}: World): Promise<void> {
  const { url } = service();
  await commands.check("a version is added", [...rotate, "add", "sealing"], {
    code: 0,
    output:
      /SEALING_KEYS has version 2 in .*\.dev\.vars now\.\nNext: .*npx edge-idp keys rotate run\n$/,
  });
  const notDeployed = {
    code: 1,
    errors: /SEALING_KEYS in .* is 2; the service uses version 1\.\nDeploy/,
  };
  for (const step of [["run"], ["status"], ["drop", "sealing", "1"]]) {
    await commands.check(
      `${step[0]} is refused before the deployment`,
      [...rotate, ...step],
      notDeployed,
    );
  }
  const other = join(scratch, "my other.vars");
  copyFileSync(join(project, ".dev.vars"), other);
  await commands.check(
    "a file of another service needs its address",
    [...rotate, "status", "--secrets-file", other],
    { code: 1, errors: /^Name the service with --url or IDP_URL/ },
  );
  await commands.check(
    "a hint repeats the options that were given",
    [...rotate, "add", "backup-codes", "--secrets-file", other, "--url", url],
    { code: 0, output: /keys rotate run --secrets-file '.*my other\.vars' --url http\S+\n$/ },
  );
  await commands.check(
    "a hint without an address asks for one",
    [...rotate, "add", "backup_codes", "--secrets-file", other],
    { code: 0, output: /keys rotate run --secrets-file '.*' --url URL\n$/ },
  );
  const withoutTokens = join(scratch, "without-tokens.vars");
  const text = readFileSync(other, "utf8").replaceAll(/^TOKEN_SIGNING_KEYS=.*\n/gm, "");
  writeFileSync(withoutTokens, text);
  await commands.check(
    "a service without step-up tokens rotates its other keys",
    [...rotate, "add", "sealing", "--secrets-file", withoutTokens],
    { code: 0, output: /has version 3/ },
  );
  await commands.check("a key that does not exist exits with 2", [...rotate, "add", "silver"], {
    code: 2,
    errors: /KEYRING is one of/,
  });
  await restart();
  await commands.check("after the deployment all data is re-encrypted", [...rotate, "run"], {
    code: 0,
    output:
      /^Version 2: [\s\S]*Everything is under the newest sealing key\.\n[\s\S]*sealing 1: unused\n/m,
  });
  await commands.check("the newest version is not dropped", [...rotate, "drop", "sealing", "2"], {
    code: 1,
    errors: /still in use; see: npx edge-idp keys rotate status\n$/,
  });
  await commands.check("the old one is", [...rotate, "drop", "sealing", "1"], {
    code: 0,
    output: /no longer has version 1/,
  });
  await restart();
  await commands.check("the service works without it", [...rotate, "status"], {
    code: 0,
    output: /sealing 2: newest/,
  });
}
