/** The journey of an operator with one tenant. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { EdgeIdp } from "@edge-idp/sdk";
import { z } from "zod";
import type { World } from "./world.ts";

const created = z.object({
  tenant: z.object({ id: z.string() }),
  token: z.object({ id: z.string() }),
});
const issued = z.object({ id: z.string() });

export interface CheckedTenant {
  readonly id: string;
  /** A file with an API token that has all permissions. */
  readonly tokenFile: string;
  readonly token: string;
  readonly idp: EdgeIdp;
}

export async function checkTenants(world: World): Promise<CheckedTenant> {
  const { commands, report, scratch, service } = world;
  const tokenFile = join(scratch, "acme.token");
  const made = await commands.check(
    "a tenant is created, and its token goes to a file",
    ["tenants", "create", "Acme", "--save-token", tokenFile, "--json"],
    { code: 0, output: /^\{.*"name":"Acme".*\}\n$/ },
  );
  const { tenant, token } = created.parse(JSON.parse(made));
  const { id } = tenant;
  report.add(
    "only its owner can read the file",
    (statSync(tokenFile).mode & 0o077) === 0 ? [] : ["others can read it"],
  );
  await commands.check(
    "a file that exists is not replaced, and no tenant is created",
    ["tenants", "create", "Never", "--save-token", tokenFile],
    { code: 1, errors: /exists, and is not replaced/ },
  );
  const shown = await commands.check("a token is shown once", ["tenants", "create", "Beta"], {
    code: 0,
    output: /^Token +idp_live_\w+$[\s\S]*not shown again[\s\S]*tokens create [0-9a-f]{24}/m,
  });
  const listed = await commands.check("the list has both", ["tenants", "list", "--json"], {
    code: 0,
    output: /"Acme"[\s\S]*"Beta"/,
  });
  const printedToken = /idp_live_\w+/.exec(shown)?.[0] ?? "none";
  report.add("no list shows a token", listed.includes(printedToken) ? ["it does"] : []);
  report.add("the refused tenant is not there", listed.includes("Never") ? ["it is"] : []);
  const secret = readFileSync(tokenFile, "utf8").trim();
  const idp = new EdgeIdp({ url: service().url, token: secret });
  await commands.check("a tenant is suspended", ["tenants", "suspend", id], {
    code: 0,
    output: /is suspended/,
  });
  await commands.check("its status is shown", ["tenants", "show", id], {
    code: 0,
    output: /^Status +suspended$/m,
  });
  await commands.check(
    "a suspended tenant is not deleted before a day",
    ["tenants", "delete", id, "--confirm", "Acme"],
    { code: 1, errors: /suspended for 24 hours/ },
  );
  await commands.check(
    "a deletion needs the right name",
    ["tenants", "delete", id, "--confirm", "Acne"],
    { code: 1, errors: /must be the tenant's name/ },
  );
  await commands.check("a deletion needs a name", ["tenants", "delete", id], {
    code: 2,
    errors: /--confirm/,
  });
  await commands.check("a tenant is reactivated", ["tenants", "resume", id], {
    code: 0,
    output: /is active/,
  });
  await commands.check("its usage is summed up", ["tenants", "usage", id, "--json"], {
    code: 0,
    output: /^\{"tenant_id":"[0-9a-f]{24}"/,
  });
  await checkTokens(world, id, token.id);
  await commands.check("its statistics are rebuilt", ["stats", "rebuild", id], {
    code: 0,
    output: /^\d+ of \d+ events counted$/m,
  });
  await commands.check(
    "it does not move to a database that is not there",
    ["tenants", "move", id, "--to", "7"],
    { code: 1, errors: /\[400 / },
  );
  return { id, tokenFile, token: secret, idp };
}

async function checkTokens({ commands }: World, id: string, first: string): Promise<void> {
  const tokens = ["tenants", "tokens"];
  const recovery = await commands.check(
    "a tenant that lost its token gets another one",
    [...tokens, "create", id, "--name", "recovery", "--permission", "tokens:write", "--json"],
    { code: 0, output: /"secret":"idp_live_/ },
  );
  await commands.check(
    "a permission that does not exist exits with 2",
    [...tokens, "create", id, "--name", "x", "--permission", "root"],
    { code: 2, errors: /idp:read/ },
  );
  await commands.check("the tokens are listed", [...tokens, "list", id], {
    code: 0,
    output: new RegExp(`^${first} [\\s\\S]*recovery`, "m"),
  });
  const { id: tokenId } = issued.parse(JSON.parse(recovery));
  await commands.check("a token is revoked", [...tokens, "revoke", id, tokenId], {
    code: 0,
    output: /is revoked/,
  });
  await commands.check("a token that is gone is not found", [...tokens, "revoke", id, tokenId], {
    code: 1,
    errors: /\[404 not_found/,
  });
}
