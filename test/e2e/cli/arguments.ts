/** Help, wrong arguments, and how a command finds its service. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "./world.ts";

/** A port on which nothing listens. */
const nowhere = "http://127.0.0.1:1";

/** An old Node on this machine; undefined if there is none. */
function findOldNode(): string | undefined {
  const folders = (process.env.PATH ?? "").split(":");
  return folders
    .map((folder) => join(folder, "node"))
    .find((node) => {
      if (!existsSync(node)) return false;
      const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
      return /^v(1\d|20|21)\./.test(stdout ?? "");
    });
}

export async function checkHelp({ commands, report }: World): Promise<void> {
  await commands.check("the help lists the commands", ["help"], {
    code: 0,
    output: /audit[\s\S]*keys[\s\S]*sentinel[\s\S]*tenants[\s\S]*trail/,
  });
  await commands.check(
    "the help takes a command of three words",
    ["help", "keys", "rotate", "add"],
    {
      code: 0,
      output: /Usage: edge-idp keys rotate add[\s\S]*Examples:/,
    },
  );
  await commands.check("an unknown command suggests the nearest", ["tennants"], {
    code: 2,
    errors: /Did you mean tenants\?/,
  });
  await commands.check("an unknown command in help, too", ["help", "audit", "verfy"], {
    code: 2,
    errors: /Did you mean verify\?/,
  });
  await commands.check("a group without a command exits with 2", ["keys", "rotate"], {
    code: 2,
    errors: /Usage: edge-idp keys rotate/,
  });
  await commands.check("a wrong id exits with 2", ["tenants", "show", "Acme"], {
    code: 2,
    errors: /24 hex digits/,
  });
  const node = findOldNode();
  if (node === undefined) report.skip("an old Node gets one sentence", "no old Node is installed");
  else {
    await commands.check(
      "an old Node gets one sentence",
      ["tenants", "list"],
      { code: 2, errors: /^edge-idp needs Node 22\.18 or newer; this is Node \d[\d.]*\. .*\n$/ },
      { node },
    );
  }
}

export async function checkAddressing({
  commands,
  project,
  scratch,
  service,
}: World): Promise<void> {
  const { url, operatorToken, demoToken } = service();
  const list = ["tenants", "list"];
  const secrets = ["--secrets-file", join(project, ".dev.vars")];
  const tokenFile = join(scratch, "demo.token");
  writeFileSync(tokenFile, `${demoToken}\n`);
  const outside = join(scratch, "outside");
  mkdirSync(outside);
  const found = { code: 0, output: /Demo/ };
  const refused = (errors: RegExp) => ({ code: 1, errors });
  await commands.check("a clone has the local service", list, found);
  await commands.check("a folder of the clone has it too", list, found, {
    folder: join(project, "src"),
  });
  await commands.check(
    "options name another service, with a slash",
    [...list, "--url", `${url}//`, ...secrets],
    found,
  );
  await commands.check("so does the environment", list, found, {
    folder: outside,
    environment: { IDP_URL: url, OPERATOR_TOKEN: operatorToken },
  });
  await commands.check("an option counts before the environment", [...list, "--url", url], found, {
    environment: { IDP_URL: nowhere },
  });
  await commands.check(
    "a file of secrets needs its service",
    [...list, ...secrets],
    refused(/^Name the service with --url or IDP_URL: the one that .*\.dev\.vars belongs to\.\n$/),
  );
  await commands.check(
    "so does a token of the environment",
    ["audit", "export", "--out", join(scratch, "never")],
    refused(/^Name the service .* IDP_TOKEN belongs to\.\n$/),
    { environment: { IDP_TOKEN: demoToken } },
  );
  await commands.check(
    "another service needs an authority",
    [...list, "--url", nowhere],
    refused(/--secrets-file/),
  );
  await commands.check(
    "outside of a clone a service must be named",
    list,
    refused(/^Name the service with --url or IDP_URL\.\n$/),
    { folder: outside },
  );
  await commands.check(
    "a service that does not answer gives one sentence",
    [...list, "--url", nowhere, ...secrets],
    refused(/^The service cannot be reached.*\[unreachable\]\n$/),
  );
  await commands.check(
    "a token of a tenant is none of the operator",
    list,
    refused(/\[401 [a-z_]+, request [0-9a-f]{24}\]\n$/),
    { environment: { IDP_URL: url, OPERATOR_TOKEN: demoToken } },
  );
  await commands.check(
    "an address that is none exits with 2 and is not repeated",
    [...list, "--url", "https://admin:pass-word@idp.example.com", ...secrets],
    { code: 2, errors: /^(?![\s\S]*pass-word).*url must be/ },
  );
}
