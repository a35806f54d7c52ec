/**
 * `npm run check:import`: imports users into a running service with the command `edge-idp`, as an operator does.
 *
 * - Each export in test/cli/fixtures/ is tried with --dry-run and then imported into a tenant of its own. Every user is
 *   verified over HTTP with codes of its own algorithm, digits and period.
 * - An import is ended with Ctrl-C, killed, and resumed, without a double and without a loss.
 * - Users are exported, imported into a second tenant, and verified there.
 * - No output, report or journal has a secret.
 */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EdgeIdp } from "@edge-idp/sdk";
import { base32nopad } from "@scure/base";
import { type ImportFixture, importFixtures } from "../test/cli/e2e/fixtures.ts";
import { listUsers, verifyUsers } from "../test/cli/e2e/imported-users.ts";
import { patientFetch } from "../test/cli/e2e/patient-fetch.ts";
import { type Account, runUsersCommand, startUsersCommand } from "../test/cli/e2e/users-command.ts";
import { type ExpectedUser, expectedSchema } from "../test/cli/expected-users.ts";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { type Finished, finish } from "../test/e2e/edge-idp.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { ProcessGroup } from "../test/e2e/process-group.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { hasTools } from "../test/e2e/tools.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const fixtures = join(root, "test", "cli", "fixtures");
const timeLimitMs = 1_200_000;
const pollMs = 10;
const catchUpMs = 60_000;
const catchUpPollMs = 500;
const manyUsers = 1_200;
/** Batches after which the import is ended, first by Ctrl-C and then by SIGKILL. */
const endings = [2, 6] as const;

interface Tenant extends Account {
  readonly idp: EdgeIdp;
}

function countLines(file: string): number {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
}

/** What must not be in any text: the secrets and codes in clear. */
function findLeaks(texts: readonly string[], users: readonly ExpectedUser[]): string[] {
  const all = texts.join("\n").toUpperCase();
  const isLeaked = users
    .flatMap(({ secrets, codes }) => [...secrets.map(({ base32 }) => base32), ...codes])
    .some((secret) => all.includes(secret.toUpperCase()));
  return isLeaked ? ["a secret or a code is in an output, a report or a journal"] : [];
}

function showFailure({ code, output, errors }: Finished): string {
  return `exit code ${code}\n${output}${errors}`;
}

class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #folder: string;
  #service: LocalService | undefined;
  #tenants = 0;

  constructor(report: Report) {
    this.#report = report;
    this.#folder = join(this.#copy.scratch, "imports");
    mkdirSync(this.#folder);
  }

  async run(): Promise<void> {
    const build = new ProcessGroup("npm", ["run", "build", "-w", "@edge-idp/cli"], root);
    this.#service = await LocalService.create(this.#copy);
    if ((await build.ended) !== 0) throw new Error(build.output + build.errors);
    await this.#service.waitUntilReady();
    for (const fixture of importFixtures) await this.#importFixture(fixture);
    await this.#refuse();
    await this.#endAndResume();
    await this.#exportAndImport();
  }

  async close(): Promise<void> {
    await this.#service?.close();
    this.#copy.remove();
  }

  async #createTenant(): Promise<Tenant> {
    if (this.#service === undefined) throw new Error("There is no service");
    const { url, operatorToken } = this.#service;
    this.#tenants += 1;
    const operator = new EdgeIdp({ url, token: operatorToken, fetch: patientFetch });
    const { token } = await operator.tenants.create({
      name: `Import ${this.#tenants}`,
      mode: "live",
    });
    return {
      url,
      token: token.secret,
      idp: new EdgeIdp({ url, token: token.secret, fetch: patientFetch }),
    };
  }

  /** A copy of the export, because the journal is written beside it. */
  #place(fixture: ImportFixture): string {
    const file = join(this.#folder, `${this.#tenants}-${basename(fixture.file)}`);
    copyFileSync(join(fixtures, fixture.file), file);
    return file;
  }

  async #importFixture(fixture: ImportFixture): Promise<void> {
    const { from, refused, leftOut } = fixture;
    const tenant = await this.#createTenant();
    const file = this.#place(fixture);
    const expected = expectedSchema.parse(
      JSON.parse(readFileSync(join(fixtures, fixture.expected), "utf8")),
    );
    const reportFile = `${file}.report`;
    const args = ["import", "--from", from, file];
    const dry = await runUsersCommand(tenant, this.#folder, [...args, "--dry-run"]);
    const before = await verifyUsers(tenant.idp, []);
    const real = await runUsersCommand(tenant, this.#folder, [...args, "--report", reportFile]);
    const again = await runUsersCommand(tenant, this.#folder, args);
    const wantedCode = refused === 0 ? 0 : 1;
    const counts = `${expected.length} created, 0 added to, 0 skipped, 0 failed, ${refused} cannot come along, ${leftOut} left out`;
    const dryCounts = `${expected.length} would be created`;
    const texts = [dry, real, again].flatMap(({ output, errors }) => [output, errors]);
    const written = [reportFile, `${file}.journal`].map((path) => readFileSync(path, "utf8"));
    this.#report.add(`${fixture.file}: imported, and every user verified`, [
      ...(dry.code === wantedCode && dry.output.includes(dryCounts) ? [] : [showFailure(dry)]),
      ...before.map((problem) => `after the dry run: ${problem}`),
      ...(real.code === wantedCode && real.output.includes(counts) ? [] : [showFailure(real)]),
      ...(again.code === 0 && again.errors.includes("complete") ? [] : [showFailure(again)]),
      ...(await verifyUsers(tenant.idp, expected)),
      ...findLeaks([...texts, ...written], expected),
    ]);
  }

  /** Files and journals that the command cannot use. */
  async #refuse(): Promise<void> {
    const [first, second] = [await this.#createTenant(), await this.#createTenant()];
    const file = join(this.#folder, "one.csv");
    const args = ["import", "--from", "csv", file];
    writeFileSync(file, "external_id\nalice\n");
    const imported = await runUsersCommand(first, this.#folder, args);
    const problems = imported.code === 0 ? [] : [showFailure(imported)];
    const expectRefusal = async (tenant: Tenant, sentence: string) => {
      const refused = await runUsersCommand(tenant, this.#folder, args);
      const isRefused = refused.code === 1 && refused.errors.includes(sentence);
      if (!isRefused) problems.push(`not "${sentence}": ${showFailure(refused)}`);
    };
    await expectRefusal(second, "belongs to another import: another tenant");
    appendFileSync(file, "bob\n");
    await expectRefusal(first, "belongs to another import: another file");
    rmSync(`${file}.journal`);
    writeFileSync(file, Buffer.from("external_id\ncarol\nzo\u00eb\n", "latin1"));
    await expectRefusal(first, "is not a text in UTF-8");
    writeFileSync(file, 'external_id\ncarol\n"dave\n');
    await expectRefusal(first, "is not CSV in line");
    const listed = await listUsers(first.idp, 1);
    if (listed.join() !== "alice") problems.push(`the tenant has ${listed.join(", ")}`);
    this.#report.add("a file or a journal that cannot be used imports nothing", problems);
  }

  /** A CSV of many users, with their secrets. */
  #writeMany(): { readonly file: string; readonly users: readonly ExpectedUser[] } {
    const users = Array.from({ length: manyUsers }, (_, n) => {
      const base32 = base32nopad.encode(crypto.getRandomValues(new Uint8Array(20)));
      const secret = { base32, algorithm: "SHA1", digits: 6, period: 30 };
      return {
        ...{ external_id: `user-${n}`, status: "active" as const, codes: [] },
        secrets: [secret],
      };
    });
    const lines = users.map((user) => `${user.external_id},${user.secrets[0]?.base32}`);
    const file = join(this.#folder, "many.csv");
    writeFileSync(file, `external_id,secret\n${lines.join("\n")}\n`);
    return { file, users };
  }

  async #endAndResume(): Promise<void> {
    const tenant = await this.#createTenant();
    const { file, users } = this.#writeMany();
    const report = `${file}.report`;
    const args = ["import", "--from", "csv", file, "--on-existing", "add", "--report", report];
    const problems: string[] = [];
    for (const [index, batches] of endings.entries()) {
      const isKill = index > 0;
      const running = startUsersCommand(tenant, this.#folder, args);
      const isOver = running.ended.then(() => true);
      while (countLines(`${file}.journal`) <= batches) {
        if (await Promise.race([isOver, sleep(pollMs, false)])) break;
      }
      await running.end(isKill ? "SIGKILL" : "SIGINT");
      const ended = await finish(running);
      // As if the kill had cut off a line.
      if (isKill) appendFileSync(`${file}.journal`, '{"batch":');
      const isRight = isKill
        ? ended.code === null
        : ended.code === 1 && ended.errors.includes("repeat the command to go on");
      if (!isRight) problems.push(showFailure(ended));
    }
    const last = await runUsersCommand(tenant, this.#folder, args);
    const counts = "1,200 created, 0 added to, 0 skipped, 0 failed";
    if (last.code !== 0 || !last.output.includes(counts)) problems.push(showFailure(last));
    if (!last.errors.includes("Going on after")) problems.push("the import began anew");
    const ids = readFileSync(report, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => String(JSON.parse(line).external_id));
    if (ids.length !== manyUsers || new Set(ids).size !== manyUsers) {
      problems.push(`the report has ${ids.length} lines of ${new Set(ids).size} users`);
    }
    const listed = await listUsers(tenant.idp, manyUsers);
    if (listed.length !== manyUsers || new Set(listed).size !== manyUsers) {
      problems.push(`the tenant has ${listed.length} users`);
    }
    const events = await this.#countImports(tenant.idp, manyUsers);
    if (events !== manyUsers) problems.push(`${events} events report an import`);
    this.#report.add(
      `${manyUsers} users: ended by Ctrl-C, killed, and resumed without a double or a loss`,
      [...problems, ...findLeaks([readFileSync(`${file}.journal`, "utf8")], users.slice(0, 100))],
    );
  }

  /** Waits until as many imports are in the trail as there should be. */
  async #countImports(idp: EdgeIdp, count: number): Promise<number> {
    const end = Date.now() + catchUpMs;
    for (;;) {
      let imports = 0;
      for await (const { action } of idp.audit.export()) {
        if (action === "otp.imported") imports += 1;
      }
      if (imports >= count || Date.now() > end) return imports;
      await sleep(catchUpPollMs);
    }
  }

  async #exportAndImport(): Promise<void> {
    const source = await this.#createTenant();
    const [fixture] = importFixtures.filter(({ from }) => from === "otpauth");
    if (fixture === undefined) throw new Error("There is no fixture");
    const file = this.#place(fixture);
    await runUsersCommand(source, this.#folder, ["import", "--from", "otpauth", file]);
    const expected = expectedSchema.parse(
      JSON.parse(readFileSync(join(fixtures, fixture.expected), "utf8")),
    );
    const out = join(this.#folder, "export.ndjson");
    // The first token of a tenant may not export.
    const token = await source.idp.tokens.create({ name: "leaving", permissions: ["idp:export"] });
    const leaving = { url: source.url, token: token.secret };
    const refused = await runUsersCommand(leaving, this.#folder, ["export", "--out", out]);
    this.#report.add("an export is refused, and leaves no file, until the setting allows it", [
      ...(refused.code === 1 && refused.errors.includes("export.secrets")
        ? []
        : [showFailure(refused)]),
      ...(existsSync(out) || existsSync(`${out}.part`) ? ["a file is there"] : []),
    ]);
    await listUsers(source.idp, expected.length);
    await source.idp.settings.change({ export: { secrets: true } });
    for (const format of ["edge-idp", "otpauth"] as const) {
      await this.#carryOver(leaving, format, join(this.#folder, `export-${format}`), expected);
    }
  }

  async #carryOver(
    source: Account,
    format: "edge-idp" | "otpauth",
    out: string,
    expected: readonly ExpectedUser[],
  ): Promise<void> {
    const args = ["export", "--format", format, "--out", out];
    const exported = await runUsersCommand(source, this.#folder, args);
    const again = await runUsersCommand(source, this.#folder, args);
    const forced = await runUsersCommand(source, this.#folder, [...args, "--force"]);
    const target = await this.#createTenant();
    const imported = await runUsersCommand(target, this.#folder, ["import", "--from", format, out]);
    const mode = (statSync(out).mode & 0o777).toString(8);
    const texts = [exported, again, forced, imported].flatMap((one) => [one.output, one.errors]);
    this.#report.add(`users leave as ${format}, and are verified in another tenant`, [
      ...(exported.code === 0 ? [] : [showFailure(exported)]),
      ...(again.code === 1 && again.errors.includes("--force") ? [] : [showFailure(again)]),
      ...(forced.code === 0 ? [] : [showFailure(forced)]),
      ...(imported.code === 0 ? [] : [showFailure(imported)]),
      ...(mode === "600" ? [] : [`the file has the mode ${mode}`]),
      ...(await verifyUsers(target.idp, expected)),
      ...findLeaks(texts, expected),
    ]);
  }
}

async function main(): Promise<number> {
  const report = new Report();
  if (hasTools(report, "imported users are verified with oathtool", ["oathtool"])) {
    await runBounded(report, new Check(report), timeLimitMs);
  }
  return report.finish();
}

await runScript(main);
process.exit();
