/**
 * `npm run check:cli`: builds the command `edge-idp`, and makes the journeys of an operator and of a security officer
 * with it as a child process, against a running service. Checks every exit code, that no error is a stack, that commands
 * end with Ctrl-C and with a closed pipe, and that no secret is printed.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { checkAddressing, checkHelp } from "../test/e2e/cli/arguments.ts";
import { CommandLine } from "../test/e2e/cli/command-line.ts";
import { checkKeys } from "../test/e2e/cli/keys.ts";
import { checkProofs } from "../test/e2e/cli/proofs.ts";
import { checkBacktest, checkExplain, checkImport } from "../test/e2e/cli/sentinel.ts";
import { checkTenants } from "../test/e2e/cli/tenants.ts";
import { checkAudit, checkClosedPipe, checkTail } from "../test/e2e/cli/trail.ts";
import type { World } from "../test/e2e/cli/world.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const timeLimitMs = 600_000;
const minSecretCharacters = 16;

function buildCommand(report: Report): boolean {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "build", "-w", "@edge-idp/cli"], {
    cwd: root,
    encoding: "utf8",
  });
  report.add("the command is built", status === 0 ? [] : [stdout + stderr]);
  return status === 0;
}

class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #commands: CommandLine;
  readonly #secrets = new Set<string>();
  #service: LocalService | undefined;

  constructor(report: Report) {
    this.#report = report;
    this.#commands = new CommandLine(report, this.#copy.project);
  }

  async run(): Promise<void> {
    await this.#start();
    const world: World = {
      ...this.#copy,
      report: this.#report,
      commands: this.#commands,
      service: () => this.#requireService(),
      restart: () => this.#start(),
    };
    await checkHelp(world);
    await checkAddressing(world);
    const tenant = await checkTenants(world);
    await checkTail(world, tenant);
    await checkClosedPipe(world, tenant);
    await checkAudit(world, tenant);
    await checkProofs(world, tenant);
    await checkKeys(world);
    await checkImport(world);
    await checkExplain(world, tenant);
    await checkBacktest(world);
    this.#secrets.add(tenant.token);
    const { printed } = this.#commands;
    const leaked = [...this.#secrets].filter((secret) => printed.includes(secret));
    this.#report.add(
      `none of ${this.#secrets.size} secrets is in the output`,
      leaked.map((secret) => `${secret.slice(0, 4)}… is`),
    );
  }

  async close(): Promise<void> {
    await this.#commands.close();
    await this.#service?.close();
    this.#copy.remove();
  }

  /** Starts the service, again at the same address if it runs. */
  async #start(): Promise<void> {
    const port = this.#service === undefined ? undefined : Number(new URL(this.#service.url).port);
    await this.#service?.close();
    this.#service = await LocalService.create(this.#copy, port);
    await this.#service.waitUntilReady();
    this.#collectSecrets();
  }

  #requireService(): LocalService {
    if (this.#service === undefined) throw new Error("No service runs");
    return this.#service;
  }

  /** All values of the files with secrets, and each key of a keyring by itself. */
  #collectSecrets(): void {
    const read = (file: string) => parseEnv(readFileSync(join(this.#copy.project, file), "utf8"));
    const { IDP_TOKEN } = read(join(".dev", "demo.env"));
    const values = Object.entries(read(".dev.vars")).flatMap(([name, value = ""]) =>
      name === "PUBLIC_URL" ? [] : value.split(",").map((entry) => entry.replace(/^\d+:/, "")),
    );
    for (const secret of [...values, IDP_TOKEN ?? ""]) {
      if (secret.length >= minSecretCharacters) this.#secrets.add(secret);
    }
  }
}

async function main(): Promise<number> {
  const report = new Report();
  if (buildCommand(report)) await runBounded(report, new Check(report), timeLimitMs);
  return report.finish();
}

await runScript(main);
process.exit();
