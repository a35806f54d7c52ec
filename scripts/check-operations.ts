/**
 * `npm run check:operations`: what docs/operations.md tells an operator to type, against a running service.
 *
 * - `edge-idp doctor`, with the service whole, with other keys, and with the service gone.
 * - `edge-idp backup` and `edge-idp restore drill`, with the backup whole and damaged in several ways.
 * - `edge-idp tenants find`, with a token, its beginning, and a request.
 * - Every `edge-idp` command of the document exists, with each option that the document gives it.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EdgeIdp } from "@edge-idp/sdk";
import { z } from "zod";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { startPlatform, startReceiver } from "../test/e2e/operations-servers.ts";
import { ProcessGroup } from "../test/e2e/process-group.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { runScript } from "./support/run-script.ts";
import { listRunbookCommands } from "./support/runbook.ts";

const root = join(import.meta.dirname, "..");
const timeLimitMs = 900_000;
/** The first run of the scheduled work takes half a minute, and a loaded machine longer. */
const maxRunMs = 180_000;
const pollMs = 2_000;
const users = 12;

const verdictSchema = z.object({
  ok: z.boolean(),
  findings: z.array(z.object({ part: z.string(), level: z.string(), text: z.string() })),
});
const manifestSchema = z.looseObject({
  databases: z.array(
    z.looseObject({ file: z.string(), sha256: z.string(), rows: z.record(z.string(), z.number()) }),
  ),
  trails: z.array(z.object({ tenant_id: z.string(), size: z.number() })),
});

interface Result {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #closing: (() => Promise<unknown>)[] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  async run(): Promise<void> {
    await this.#findCommands();
    await this.#addDatabase();
    const service = await LocalService.create(this.#copy);
    this.#closing.push(() => service.close());
    await service.waitUntilReady();
    const receiver = await startReceiver();
    this.#closing.push(() => receiver.close());
    const idp = new EdgeIdp({ url: service.url, token: service.demoToken });
    await this.#cause(idp, receiver.url);
    await this.#useSecondDatabase(service);
    await this.#doctor();
    await this.#find(service, idp);
    const backup = await this.#backUp(idp);
    await this.#backUpRemotely(backup);
    const sent = receiver.count();
    await this.#drill(backup);
    this.#report.add("the drill sends nothing to the receivers of webhooks", [
      ...(sent > 0 ? [] : ["the service itself has sent nothing, so this shows nothing"]),
      ...(receiver.count() === sent ? [] : [`${receiver.count() - sent} messages arrived`]),
    ]);
    await this.#drillDamaged(backup);
    await service.close();
    await this.#expect("the doctor says that a service is gone", ["doctor"], 1, [
      "The service does not answer.",
    ]);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()));
    this.#copy.remove();
  }

  async #edgeIdp(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Result> {
    const command = join(
      this.#copy.project,
      "node_modules",
      "@edge-idp",
      "cli",
      "bin",
      "edge-idp.js",
    );
    const process_ = new ProcessGroup(
      process.execPath,
      [command, ...args],
      this.#copy.project,
      environment,
    );
    this.#closing.push(() => process_.end("SIGTERM"));
    const code = await process_.ended;
    return { code, output: process_.output, errors: process_.errors };
  }

  /** Runs the command, and expects its exit code and parts of what it prints. */
  async #expect(
    title: string,
    args: readonly string[],
    code: number,
    parts: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Result> {
    const result = await this.#edgeIdp(args, environment);
    const shown = result.output + result.errors;
    const missing = parts.filter((part) => !shown.includes(part));
    this.#report.add(title, [
      ...(result.code === code ? [] : [`exit code ${result.code}, not ${code}\n${shown}`]),
      ...missing.map((part) => `it does not print "${part}":\n${shown}`),
    ]);
    return result;
  }

  /** Binds `DB_1` in the copy, as docs/operations.md says. */
  async #addDatabase(): Promise<void> {
    const file = join(this.#copy.project, "wrangler.toml");
    const section = /# \[\[d1_databases\]\]\n(?:# .*\n)+/;
    const text = readFileSync(file, "utf8");
    const changed = text.replace(section, (lines) => lines.replaceAll(/^# /gm, ""));
    if (changed === text) throw new Error("wrangler.toml has no section of DB_1");
    writeFileSync(file, changed);
    const args = ["wrangler", "d1", "migrations", "apply", "DB_1", "--local"];
    const group = new ProcessGroup("npx", args, this.#copy.project, { CI: "true" });
    this.#closing.push(() => group.end("SIGTERM"));
    if ((await group.ended) !== 0) throw new Error(group.output + group.errors);
  }

  /** A suspended tenant in `DB_1`, with a trail. */
  async #useSecondDatabase({ url, operatorToken }: LocalService): Promise<void> {
    const operator = new EdgeIdp({ url, token: operatorToken });
    const { tenant, token } = await operator.tenants.create({
      name: "Second",
      mode: "live",
      shard: 1,
    });
    const idp = new EdgeIdp({ url, token: token.secret });
    await idp.users.provision("alice");
    await idp.audit.checkpoint();
    await operator.tenants.suspend(tenant.id);
  }

  /** Users with events of several kinds, and a webhook. */
  async #cause(idp: EdgeIdp, receiver: string): Promise<void> {
    await idp.webhooks.create({ url: `${receiver}/hook`, events: ["user.*"] });
    for (let n = 0; n < users; n += 1) {
      const externalId = `it's user ${n};\nof two lines`.replace("\n", n % 2 === 0 ? " " : ";");
      await idp.users.provision(externalId);
      await idp.otp.configure(externalId, { issuer_name: "Acme", account_name: `user ${n}` });
    }
    await idp.users.suspend("it's user 0; of two lines");
    await idp.audit.checkpoint();
  }

  async #doctor(): Promise<void> {
    const until = Date.now() + maxRunMs;
    let verdict = await this.#judge();
    while (!verdict.ok && Date.now() < until) {
      await sleep(pollMs);
      verdict = await this.#judge();
    }
    const failing = verdict.findings.filter(({ level }) => level === "fail");
    this.#report.add(
      `the doctor finds no failure in ${verdict.findings.length} parts of a whole service`,
      failing.map(({ part, text }) => `${part}: ${text}`),
    );
    await this.#expect("the doctor prints one line for each part", ["doctor"], 0, [
      "ok    ready",
      "ok    keys",
      "ok    cron",
      "warn  feeds",
      "npx edge-idp sentinel import",
    ]);
    const other = this.#writeOtherSecrets();
    const args = ["doctor", "--secrets-file", other, "--url", await this.#url()];
    await this.#expect("the doctor says that a file of secrets is another one", args, 1, [
      "fail  keys",
      "The newest version of SEALING_KEYS",
    ]);
  }

  async #judge() {
    const { output, errors } = await this.#edgeIdp(["doctor", "--json"]);
    if (output === "") throw new Error(errors);
    return verdictSchema.parse(JSON.parse(output));
  }

  async #url(): Promise<string> {
    const text = readFileSync(join(this.#copy.project, ".dev", "demo.env"), "utf8");
    return /^IDP_URL=(.*)$/m.exec(text)?.[1] ?? "";
  }

  /** The secrets of the service, with another version of the sealing key alone. */
  #writeOtherSecrets(): string {
    const text = readFileSync(join(this.#copy.project, ".dev.vars"), "utf8");
    const key = createHash("sha256").update("another key").digest("base64");
    const file = join(this.#copy.scratch, "other.vars");
    writeFileSync(file, text.replace(/^SEALING_KEYS=.*$/m, `SEALING_KEYS=2:${key}`), {
      mode: 0o600,
    });
    return file;
  }

  async #find(service: LocalService, idp: EdgeIdp): Promise<void> {
    const file = join(this.#copy.scratch, "leaked.token");
    writeFileSync(file, service.demoToken, { mode: 0o600 });
    const { tenant_id: tenantId } = await idp.settings.get();
    const own = await idp.tokens.own();
    const found = [tenantId, "(Demo; test, active)"];
    await this.#expect(
      "a leaked token names its tenant",
      ["tenants", "find", "--token-file", file],
      0,
      [...found, `npx edge-idp tenants tokens revoke ${tenantId} ${own.id}`],
    );
    const prefix = service.demoToken.slice(0, "idp_test_".length + 21);
    await this.#expect("so does its beginning", ["tenants", "find", "--prefix", prefix], 0, found);
    const [event] = (await idp.audit.events({ action: "user.suspended" }).page()).items;
    await this.#expect(
      "a request names its tenant",
      ["tenants", "find", "--request", event?.request_id ?? ""],
      0,
      [...found, "user.suspended success"],
    );
  }

  async #backUp(idp: EdgeIdp): Promise<string> {
    const folder = join(this.#copy.scratch, "backup");
    await this.#expect("a backup has every database", ["backup", "--out", folder], 0, [
      "2 database(s)",
      "the checkpoints of 2 trails",
    ]);
    const manifest = this.#readManifest(folder);
    const modes = ["manifest.json", "DB.sql"].map(
      (name) => statSync(join(folder, name)).mode & 0o777,
    );
    const { checkpoint } = await idp.audit.checkpoint();
    const [database] = manifest.databases;
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, "DB.sql")))
      .digest("hex");
    this.#report.add("its manifest says what the backup has, and only its owner can read it", [
      ...modes.flatMap((mode) =>
        mode === 0o600 ? [] : [`a file has the mode ${mode.toString(8)}`],
      ),
      ...((statSync(folder).mode & 0o777) === 0o700 ? [] : ["others can list the folder"]),
      ...(database?.rows.identities === users ? [] : [`identities: ${database?.rows.identities}`]),
      ...(database?.sha256 === digest ? [] : ["the digest is another one"]),
      ...(manifest.trails.some(({ size }) => size === checkpoint.tree_size)
        ? []
        : ["the trail has another size"]),
    ]);
    await this.#expect("a folder with files is not overwritten", ["backup", "--out", folder], 1, [
      "is not empty",
    ]);
    return folder;
  }

  /** Against a stand-in of Cloudflare's API on this machine. It exports what the local backup has. */
  async #backUpRemotely(local: string): Promise<void> {
    const platform = await startPlatform(readFileSync(join(local, "DB.sql")));
    this.#closing.push(() => platform.close());
    const folder = join(this.#copy.scratch, "remote");
    const environment = {
      CLOUDFLARE_API_BASE_URL: `${platform.url}/client/v4`,
      CLOUDFLARE_API_TOKEN: "a-token-of-the-check",
      CLOUDFLARE_ACCOUNT_ID: platform.account,
    };
    const { code, errors } = await this.#edgeIdp(
      ["backup", "--remote", "--out", folder],
      environment,
    );
    const [remote, own] = [folder, local].map((one) => readFileSync(join(one, "DB.sql"), "utf8"));
    this.#report.add("a backup of a deployed database has what the platform exports", [
      ...(code === 0 ? [] : [errors]),
      ...(remote === own ? [] : ["the files differ"]),
      ...(platform.exports() > 0 ? [] : ["nothing was asked of the platform"]),
    ]);
    platform.cut();
    const cut = join(this.#copy.scratch, "cut");
    await this.#expect(
      "an export that was cut off is no backup",
      ["backup", "--remote", "--out", cut],
      1,
      ["ends within a statement"],
      environment,
    );
    platform.fail();
    const failed = join(this.#copy.scratch, "failed");
    const result = await this.#edgeIdp(["backup", "--remote", "--out", failed], environment);
    this.#report.add("a backup that the platform refuses leaves no manifest", [
      ...(result.code === 1 ? [] : [`exit code ${result.code}`]),
      ...(result.errors.includes("the stand-in refuses") ? [] : [result.errors]),
      ...(existsSync(join(failed, "manifest.json")) ? ["there is a manifest"] : []),
    ]);
  }

  #readManifest(folder: string) {
    return manifestSchema.parse(JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")));
  }

  async #drill(folder: string): Promise<void> {
    const drill = ["restore", "drill", folder];
    const { output } = await this.#expect("the backup can be restored", drill, 0, [
      "ok    each table has as many rows as in the manifest",
      "ok    the restored service is ready",
      "ok    2 trails extend their checkpoints",
      "The backup can be restored.",
    ]);
    process.stdout.write(`      ${output.trimEnd().split("\n").at(-1)}\n`);
    const wrong = [...drill, "--secrets-file", this.#writeOtherSecrets()];
    await this.#expect("a drill with other secrets says which key is missing", wrong, 1, [
      "keys_do_not_fit",
    ]);
  }

  async #drillDamaged(whole: string): Promise<void> {
    const damage = async (
      title: string,
      change: (text: string) => string,
      isHidden: boolean,
      part: string,
    ) => {
      const folder = join(this.#copy.scratch, title.replaceAll(/\W/g, "-"));
      cpSync(whole, folder, { recursive: true });
      const file = join(folder, "DB.sql");
      const text = readFileSync(file, "utf8");
      const changed = change(text);
      if (changed === text) throw new Error(`${title}: the backup has nothing to change`);
      writeFileSync(file, changed);
      if (isHidden) this.#hideChange(folder);
      await this.#expect(title, ["restore", "drill", folder], 1, [part]);
    };
    const suspended = /"user\.suspended"|'user\.suspended'/;
    await damage(
      "a changed file is noticed",
      (text) => text.replace(suspended, "'user.unlocked'"),
      false,
      "DB.sql was changed",
    );
    await damage(
      "a changed event is noticed by the verifier, although the manifest has the new digest",
      (text) => text.replace(suspended, "'user.unlocked'"),
      true,
      "FAIL  2 trails extend",
    );
    await damage(
      "a missing row is noticed, although the manifest has the new digest",
      (text) => text.replace(/^INSERT INTO "?identities"? .*;$/m, ""),
      true,
      "identities has 11 rows, and had 12",
    );
    const empty = join(this.#copy.scratch, "no-backup");
    cpSync(join(root, "migrations", "meta"), empty, { recursive: true });
    await this.#expect("a folder without a manifest is no backup", ["restore", "drill", empty], 1, [
      "has no manifest.json",
    ]);
  }

  /** Has the manifest name the digest of what the files are now. */
  #hideChange(folder: string): void {
    const path = join(folder, "manifest.json");
    const sha256 = createHash("sha256")
      .update(readFileSync(join(folder, "DB.sql")))
      .digest("hex");
    // The first digest is that of DB.sql.
    const text = readFileSync(path, "utf8").replace(
      /"sha256": "[0-9a-f]{64}"/,
      `"sha256": "${sha256}"`,
    );
    writeFileSync(path, text);
  }

  /** Each command of the document has help, which has each option that the document gives it. */
  async #findCommands(): Promise<void> {
    const commands = listRunbookCommands(readFileSync(join(root, "docs", "operations.md"), "utf8"));
    const problems: string[] = [];
    const helps = new Map<string, string>();
    for (const { words, options, line } of commands) {
      const name = words.join(" ");
      if (!helps.has(name)) {
        const { code, output } = await this.#edgeIdp([...words, "--help"]);
        const usage = code === 0 && output.startsWith(`Usage: edge-idp ${name}`);
        helps.set(name, usage ? output : "");
      }
      const help = helps.get(name) ?? "";
      if (help === "") problems.push(`${line}: there is no such command`);
      for (const option of options) {
        if (help !== "" && !help.includes(option)) problems.push(`${line}: it has no ${option}`);
      }
    }
    if (commands.length < 20) problems.push(`only ${commands.length} commands were found`);
    this.#report.add(
      `${commands.length} lines of docs/operations.md name ${helps.size} commands that exist, with their options`,
      problems,
    );
  }
}

async function main(): Promise<number> {
  const report = new Report();
  await runBounded(report, new Check(report), timeLimitMs);
  return report.finish();
}

await runScript(main);
process.exit();
