/**
 * `npm run check:operations`: what docs/operations.md tells an operator to type, against a running service.
 *
 * - `edge-idp doctor`, with the service whole, with other keys, and with the service gone.
 * - `edge-idp backup` and `edge-idp restore drill`, with the backup whole and damaged in several ways.
 * - `edge-idp tenants find`, with a token, its beginning, and a request.
 * - Every `edge-idp` command of the document exists, with each option that the document gives it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EdgeIdp } from "@edge-idp/sdk";
import { z } from "zod";
import { BackupCheck } from "../test/e2e/backup-check.ts";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { CommandRunner } from "../test/e2e/command-runner.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { startReceiver } from "../test/e2e/operations-servers.ts";
import { ProcessGroup } from "../test/e2e/process-group.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { runScript } from "./support/run-script.ts";
import { listRunbookCommands } from "./support/runbook.ts";

const root = join(import.meta.dirname, "..");
const timeLimitMs = 1_800_000;
/** The first run of the scheduled work takes half a minute, and a loaded machine longer. */
const maxRunMs = 180_000;
const pollMs = 2_000;
const users = 12;

const verdictSchema = z.object({
  ok: z.boolean(),
  findings: z.array(z.object({ part: z.string(), level: z.string(), text: z.string() })),
});
class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #commands: CommandRunner;
  readonly #closing: (() => Promise<unknown>)[] = [];

  constructor(report: Report) {
    this.#report = report;
    this.#commands = new CommandRunner(report, this.#copy);
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
    const backups = new BackupCheck(this.#commands, users);
    const backup = await backups.backUp(idp);
    await backups.backUpRemotely(backup);
    const sent = receiver.count();
    await backups.drill(backup);
    this.#report.add("the drill sends nothing to the receivers of webhooks", [
      ...(sent > 0 ? [] : ["the service itself has sent nothing, so this shows nothing"]),
      ...(receiver.count() === sent ? [] : [`${receiver.count() - sent} messages arrived`]),
    ]);
    await backups.drillDamaged(backup);
    await service.close();
    await this.#commands.expect("the doctor says that a service is gone", ["doctor"], 1, [
      "The service does not answer.",
    ]);
  }

  async close(): Promise<void> {
    await this.#commands.close();
    await Promise.all(this.#closing.map((close) => close()));
    this.#copy.remove();
  }

  /** Binds `DB_1` in the copy, as docs/operations.md says. */
  async #addDatabase(): Promise<void> {
    const file = join(this.#copy.project, "wrangler.toml");
    const section = /# \[\[d1_databases\]\]\n(?:# .*\n)+/;
    const text = readFileSync(file, "utf8");
    const changed = text.replace(section, (lines) => lines.replaceAll(/^# /gm, ""));
    if (changed === text) throw new Error("wrangler.toml has no section of DB_1");
    writeFileSync(file, changed);
    await this.#wrangler(["d1", "migrations", "apply", "DB_1", "--local"]);
  }

  /** A suspended tenant in `DB_1`, with a trail and a jurisdiction. */
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
    // No local service creates such a tenant, but the backup of a deployed one has them.
    const change = `UPDATE tenants SET jurisdiction = 'eu' WHERE id = '${tenant.id}'`;
    await this.#wrangler(["d1", "execute", "DB", "--local", "--command", change]);
  }

  /** @throws Error with the output if it fails */
  async #wrangler(args: readonly string[]): Promise<void> {
    const group = new ProcessGroup("npx", ["wrangler", ...args], this.#copy.project, {
      CI: "true",
    });
    this.#closing.push(() => group.end("SIGTERM"));
    if ((await group.ended) !== 0) throw new Error(group.output + group.errors);
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
    await this.#commands.expect("the doctor prints one line for each part", ["doctor"], 0, [
      "ok    ready",
      "ok    keys",
      "ok    cron",
      "warn  feeds",
      "npx edge-idp sentinel import",
    ]);
    const other = this.#commands.writeOtherSecrets();
    const args = ["doctor", "--secrets-file", other, "--url", await this.#url()];
    await this.#commands.expect("the doctor says that a file of secrets is another one", args, 1, [
      "fail  keys",
      "The newest version of SEALING_KEYS",
    ]);
  }

  async #judge() {
    const { output, errors } = await this.#commands.run(["doctor", "--json"]);
    if (output === "") throw new Error(errors);
    return verdictSchema.parse(JSON.parse(output));
  }

  async #url(): Promise<string> {
    const text = readFileSync(join(this.#copy.project, ".dev", "demo.env"), "utf8");
    return /^IDP_URL=(.*)$/m.exec(text)?.[1] ?? "";
  }

  async #find(service: LocalService, idp: EdgeIdp): Promise<void> {
    const file = join(this.#copy.scratch, "leaked.token");
    writeFileSync(file, service.demoToken, { mode: 0o600 });
    const { tenant_id: tenantId } = await idp.settings.get();
    const own = await idp.tokens.own();
    const found = [tenantId, "(Demo; test, active)"];
    await this.#commands.expect(
      "a leaked token names its tenant",
      ["tenants", "find", "--token-file", file],
      0,
      [...found, `npx edge-idp tenants tokens revoke ${tenantId} ${own.id}`],
    );
    const prefix = service.demoToken.slice(0, "idp_test_".length + 21);
    await this.#commands.expect(
      "so does its beginning",
      ["tenants", "find", "--prefix", prefix],
      0,
      found,
    );
    const [event] = (await idp.audit.events({ action: "user.suspended" }).page()).items;
    await this.#commands.expect(
      "a request names its tenant",
      ["tenants", "find", "--request", event?.request_id ?? ""],
      0,
      [...found, "user.suspended success"],
    );
  }

  /** Each command of the document has help, which has each option that the document gives it. */
  async #findCommands(): Promise<void> {
    const commands = listRunbookCommands(readFileSync(join(root, "docs", "operations.md"), "utf8"));
    const problems: string[] = [];
    const helps = new Map<string, string>();
    for (const { words, options, line } of commands) {
      const name = words.join(" ");
      if (!helps.has(name)) {
        const { code, output } = await this.#commands.run([...words, "--help"]);
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
