/** The import of lists, the explanation of a score, and a replay of past logins. */
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CheckedTenant } from "./tenants.ts";
import type { World } from "./world.ts";

export async function checkImport({ commands, scratch }: World): Promise<void> {
  const folder = join(scratch, "lists");
  mkdirSync(folder);
  const write = (name: string, text: string) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const vpn = write("vpn.txt", "192.0.2.0/24\n198.51.100.7\nnonsense\n");
  const tor = write("tor.txt", "203.0.113.9\n");
  const page = write("page.txt", "<!doctype html><html><body>Not found</body></html>\n");
  const run = ["sentinel", "import", "--persist-to", join(scratch, "kv")];
  const feed = (name: string, file: string) => ["--feed", `${name}=${file}`];
  await commands.check("a list is imported", [...run, ...feed("vpn", vpn)], {
    code: 0,
    output: /^Coverage: [\s\S]*vpn: 257 IPv4 addresses/m,
    errors: /vpn\.txt:3: /,
  });
  const missing = /would remove what it does not name:\n {2}vpn \(vpn, 2 rows\)\n.*--replace/;
  await commands.check(
    "an import that would remove a list names it",
    [...run, ...feed("tor", tor)],
    { code: 1, errors: missing },
  );
  await commands.check("with --replace it is meant", [...run, ...feed("tor", tor), "--replace"], {
    code: 0,
    output: /tor: 1 IPv4 addresses/,
    errors: /tor/,
  });
  await commands.check(
    "a refused list stays, and exits with 1",
    [...run, ...feed("tor", page), ...feed("vpn", vpn)],
    { code: 1, output: /^Refused: +tor$/m, errors: /tor: REFUSED/ },
  );
  await commands.check(
    "a dry run prints JSON and writes nothing",
    [...run, ...feed("vpn", vpn), "--dry-run", "--json"],
    { code: 0, output: /^\{.*"published":null/, errors: /vpn/ },
  );
  for (const [title, args, errors] of [
    ["a list of no kind", feed("mine", vpn), /write --feed mine:KIND=…/],
    ["an import of nothing", [], /Nothing to import/],
    [
      "a namespace without --remote",
      [...feed("vpn", vpn), "--namespace-id", "a"],
      /needs --remote/,
    ],
    ["two targets", [...feed("vpn", vpn), "--local", "--remote"], /cannot be used with/],
  ] as const) {
    await commands.check(`${title} exits with 2`, [...run, ...args], { code: 2, errors });
  }
  await commands.check(
    "an import needs a clone",
    [...run, ...feed("vpn", vpn)],
    { code: 1, errors: /needs a clone of the repository/ },
    { folder },
  );
}

export async function checkExplain(
  { commands, scratch }: World,
  { idp }: CheckedTenant,
): Promise<void> {
  await idp.users.provision("assessed");
  await idp.sentinel.assess("assessed", { ip: "192.0.2.1", ua: "curl/8.9" });
  // The list of one user has everything that its guard has recorded.
  await idp.audit.events({ externalUserId: "assessed" }).page();
  const { items } = await idp.sentinel.assessments({ limit: 1 }).page();
  const file = join(scratch, "assessments.json");
  const text = JSON.stringify({ assessments: items });
  writeFileSync(file, text);
  const explain = ["sentinel", "explain"];
  await commands.check("a score is explained", [...explain, file], {
    code: 0,
    output: /As it was stored\.\n\n$/,
  });
  await commands.check(
    "from standard input, too",
    [...explain, "-"],
    { code: 0, output: /As it was stored/ },
    { input: text },
  );
  const changed = join(scratch, "changed.json");
  writeFileSync(changed, text.replace(/"risk_score":[\d.]+/, '"risk_score":0.123'));
  await commands.check("a changed score is found", [...explain, changed], {
    code: 1,
    output: /NOT as it was stored: the score was 0\.123/,
  });
  const ofAnotherModel = join(scratch, "model.json");
  writeFileSync(ofAnotherModel, text.replace(/"model":"[^"]+"/, '"model":"sentinel-1"'));
  await commands.check(
    "of another model is shown what was stored, without a verdict",
    [...explain, ofAnotherModel],
    { code: 2, output: /the numbers are those stored/, errors: /the model is sentinel-1/ },
  );
  for (const [title, name, content] of [
    ["a file that is not JSON", "text.json", "hello"],
    ["a page without an assessment", "empty.json", '{"assessments":[]}'],
  ] as const) {
    const unusable = join(scratch, name);
    writeFileSync(unusable, content);
    await commands.check(`${title} gives no verdict`, [...explain, unusable], {
      code: 2,
      errors: /./,
    });
  }
}

export async function checkBacktest({ commands, report, project, scratch }: World): Promise<void> {
  const out = join(scratch, "backtest");
  const logins = join(project, "examples", "backtest", "logins.csv");
  const backtest = ["sentinel", "backtest"];
  await commands.check("past logins are replayed", [...backtest, logins, "--out", out], {
    code: 0,
    output: /^\d+ real logins: \d+ would have been challenged/,
  });
  const missing = ["report.html", "sessions.csv", "days.csv"].filter(
    (name) => !existsSync(join(out, name)),
  );
  report.add("the report is there", missing);
  report.add(
    "only its owner can read the sessions",
    (statSync(join(out, "sessions.csv")).mode & 0o077) === 0 ? [] : ["others can read them"],
  );
  await commands.check(
    "a file that is not there exits with 1",
    [...backtest, join(scratch, "no.csv"), "--out", out],
    { code: 1, errors: /no\.csv/ },
  );
  await commands.check(
    "a threshold that is none exits with 2",
    [...backtest, logins, "--challenge-at", "2"],
    { code: 2, errors: /between 0 and 1/ },
  );
}
