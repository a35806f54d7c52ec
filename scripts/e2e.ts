/**
 * `npm run e2e` runs the commands of README.md, docs/tutorial.md and docs/integrate.md against the real service,
 * line by line, and compares the answers with those that the documents show. It uses the app in examples/login as
 * well. Its parts are in test/e2e.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort, isPortFree } from "../packages/cli/src/local/port.ts";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { findDifferences } from "../test/e2e/compare.ts";
import { readItems, type Step } from "../test/e2e/document.ts";
import { checkGuide } from "../test/e2e/guide.ts";
import { LoginAppCheck } from "../test/e2e/login-app.ts";
import { ProcessGroup } from "../test/e2e/process-group.ts";
import { copyProject, type ProjectCopy } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { Shell } from "../test/e2e/shell.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
/** The section of README.md with commands. Of the tutorial all commands run. */
const readmeSection = "Four calls";
const timeLimitMs = 240_000;
/** Audit events of verifications and assessments arrive shortly after the answer. */
const eventuallyMs = 5_000;
const repeatMs = 250;

const neededTools = [
  ["oathtool", "apt-get install oathtool, or brew install oath-toolkit"],
  ["curl", "apt-get install curl"],
  ["bash", "apt-get install bash"],
] as const;

/** In the same shell, half-way: the restarted service must still refuse a spent code. */
const afterRestart: readonly Step[] = [
  {
    kind: "step",
    title: "after the restart, the code spent before it is refused",
    commands: `curl -s -o /dev/null -w '%{http_code}\\n' "$IDP_URL/v1/idp/otp/verify" -H "$AUTH" -H "$JSON" \\
      -d '{ "otp": { "id": "ORG_USR_9921_AFG", "code": "'$CODE'" } }'`,
    answer: "422",
  },
  {
    kind: "step",
    title: "after the restart, the next code of the same secret is accepted",
    commands: `NEXT=$(oathtool --totp -b -N "@$(($(date +%s) + 30))" "$SECRET")
      curl -s -o /dev/null -w '%{http_code}\\n' "$IDP_URL/v1/idp/otp/verify" -H "$AUTH" -H "$JSON" \\
      -d '{ "otp": { "id": "ORG_USR_9921_AFG", "code": "'$NEXT'" } }'`,
    answer: "200",
  },
];

function createStep(title: string, commands: string, answer: string): Step {
  return { kind: "step", title, commands, answer };
}

class Check {
  readonly #report: Report;
  readonly #copy: ProjectCopy;
  readonly #port: number;
  readonly #shell: Shell;
  readonly #started: ProcessGroup[] = [];
  #service: ProcessGroup | undefined;
  #loginApp: LoginAppCheck | undefined;
  #isClosed = false;

  constructor(report: Report, copy: ProjectCopy, port: number) {
    this.#report = report;
    this.#copy = copy;
    this.#port = port;
    this.#shell = new Shell(copy.project, copy.scratch);
  }

  async run(): Promise<void> {
    const items = [
      ...readItems(this.#read("README.md"), readmeSection),
      ...readItems(this.#read("docs/tutorial.md")),
    ];
    // An earlier version left traces of requests here.
    mkdirSync(this.#traceStore, { recursive: true });
    writeFileSync(join(this.#traceStore, "old.sqlite"), "ORG_USR_ERASED");
    if (!(await this.#start("npm run dev on a fresh clone"))) return;
    this.#checkSecretFiles();
    await this.#checkPortInUse();
    for (const item of items) {
      if (item.kind === "step") {
        await this.#step(item);
        continue;
      }
      await this.#stop("Ctrl-C stops the service and all it started");
      const before = this.#demoFile();
      if (!(await this.#start("npm run dev a second time"))) return;
      const isSame = this.#demoFile() === before;
      this.#report.add(
        "the second start keeps the demo tenant and its token",
        isSame ? [] : [".dev/demo.env changed"],
      );
      for (const step of afterRestart) await this.#step(step);
    }
    await this.#rotateKey();
    await checkGuide(this.#read("docs/integrate.md"), this.#report, (step) => this.#step(step));
    // After the documents, because the app changes the settings of the demo tenant.
    this.#loginApp = await LoginAppCheck.create(this.#copy.project, this.#report);
    await this.#loginApp.checkLogins();
    await this.#stop("the service stops again");
    await this.#loginApp.checkOutage();
    this.#report.add(
      "the service has deleted old traces of requests and stored none",
      existsSync(this.#traceStore) ? [`${this.#traceStore} exists`] : [],
    );
  }

  get #traceStore(): string {
    return join(this.#copy.project, ".wrangler", "state", "v3", "observability");
  }

  /** Rotates a key as docs/operations.md says, and kills the re-encryption half-way. */
  async #rotateKey(): Promise<void> {
    const users = `for n in 1 2 3 4 5; do curl -s "$IDP_URL/v1/idp/users" -H "$AUTH" -H "$JSON" \\
        -d '{ "user": { "external_id": "idle-'$n'" } }' >/dev/null; done
      SECRET=$(curl -s "$IDP_URL/v1/idp/user/otp?externalUserId=idle-1" -H "$AUTH" -H "$JSON" \\
        -d '{ "otp": { "issuer_name": "Acme", "account_name": "idle" } }' | grep -oE '[A-Z2-7]{32}' | head -1)`;
    const rotate = "npx edge-idp keys rotate";
    await this.#step(
      createStep(
        "a new version of the sealing key is added",
        `${users}; ${rotate} add sealing | grep -c 'version 2'`,
        "1",
      ),
    );
    await this.#step(
      createStep(
        "a key that is not deployed is refused, and a file of another service without its address",
        `${rotate} run 2>&1 | grep -c 'SEALING_KEYS in .* is 2; the service uses version 1' || true
          cp .dev.vars other.vars
          env -u IDP_URL ${rotate} status --secrets-file other.vars 2>&1 || true
          ${rotate} add backup-codes --secrets-file other.vars --url "$IDP_URL/" | grep -o 'run --secrets.*' | sed "s|$IDP_URL|URL|"
          ${rotate} status --secrets-file other.vars --url "$IDP_URL/" 2>&1 | grep -c 'the service uses version 1'
          rm other.vars`,
        `1
Name the service with --url or IDP_URL: the one that other.vars belongs to.
run --secrets-file other.vars --url URL/
2`,
      ),
    );
    await this.#stop("the service stops for the new key");
    if (!(await this.#start("npm run dev with two sealing keys"))) return;
    await this.#step(
      createStep(
        "the re-encryption is killed half-way",
        `node node_modules/@edge-idp/cli/bin/edge-idp.js keys rotate run --limit 1 >rotate.log & runner=$!
          until grep -q '^Version 2: 2 of' rotate.log; do sleep 0.02; done
          kill -9 $runner; wait $runner 2>/dev/null || true
          grep -c 'newest sealing key' rotate.log || true`,
        "0",
      ),
    );
    await this.#step(
      createStep(
        "it resumes and completes; the old version is then unused",
        `${rotate} run --limit 2 >rotate.log; grep -c '^Version 2: [012] of' rotate.log || true
          ${rotate} status | grep sealing; ${rotate} drop sealing 1 | grep -c 'no longer has version 1'`,
        "0\nsealing 1: unused\nsealing 2: newest\n1",
      ),
    );
    await this.#stop("the service stops to drop the old key");
    if (!(await this.#start("npm run dev without the old key"))) return;
    await this.#step(
      createStep(
        "codes of the secret sealed before are accepted",
        `CODE=$(oathtool --totp -b "$SECRET")
          curl -s -o /dev/null -w '%{http_code}\\n' "$IDP_URL/v1/idp/otp/verify" -H "$AUTH" -H "$JSON" \\
          -d '{ "otp": { "id": "idle-1", "code": "'$CODE'" } }'`,
        "200",
      ),
    );
  }

  /** Ends every process that this check started. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const started = [this.#shell, this.#loginApp].map((part) => part?.close());
    await Promise.all([...started, ...this.#started.map((group) => group.end("SIGTERM"))]);
  }

  #demoFile(): string {
    return this.#read(".dev/demo.env");
  }

  #read(path: string): string {
    return readFileSync(join(this.#copy.project, path), "utf8");
  }

  #dev(): ProcessGroup {
    if (this.#isClosed) throw new Error("The check has ended");
    const args = ["run", "dev", "--", "--port", String(this.#port)];
    const group = new ProcessGroup("npm", args, this.#copy.project);
    this.#started.push(group);
    return group;
  }

  async #start(title: string): Promise<boolean> {
    const startedAt = Date.now();
    const service = this.#dev();
    this.#service = service;
    const isRunning = await service.until(() => service.output.includes("Ctrl-C stops it"));
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    const problems = isRunning ? [] : [service.output + service.errors];
    this.#report.add(`${title} (${seconds} s)`, problems);
    return isRunning;
  }

  async #stop(title: string): Promise<void> {
    const stopped = await this.#service?.end("SIGINT");
    const isFree = await isPortFree(this.#port);
    this.#report.add(title, [
      ...(stopped ? [] : ["it had to be killed"]),
      ...(isFree ? [] : [`port ${this.#port} is still in use`]),
    ]);
  }

  #checkSecretFiles(): void {
    const readable = [".dev.vars", join(".dev", "demo.env")].filter(
      (file) => (statSync(join(this.#copy.project, file)).mode & 0o077) !== 0,
    );
    this.#report.add("only their owner can read files with secrets", readable);
  }

  async #checkPortInUse(): Promise<void> {
    const second = this.#dev();
    const code = await second.ended;
    const isClear = second.errors.includes(`Port ${this.#port} is in use`);
    this.#report.add(
      "a port in use gives an error of one sentence",
      code === 1 && isClear ? [] : [`exit ${code}: ${second.output}${second.errors}`],
    );
  }

  async #step({ title, commands, answer }: Step): Promise<void> {
    const onlyReads = !/\s-[dX]\b/.test(commands);
    const until = Date.now() + (onlyReads ? eventuallyMs : 0);
    for (;;) {
      const { ok, output, errors } = await this.#shell.run(commands);
      if (!ok) {
        this.#report.add(title, [`a command failed: ${output}${errors}`]);
        return;
      }
      const problems = answer === undefined ? [] : findDifferences(answer, output);
      if (problems.length === 0 || Date.now() > until) {
        if (problems.length > 0 && errors !== "") problems.push(errors);
        this.#report.add(title, problems);
        return;
      }
      await sleep(repeatMs);
    }
  }
}

function findMissingTools(): string[] {
  return neededTools
    .filter(([name]) => spawnSync(name, ["--version"]).error !== undefined)
    .map(([name, advice]) => `${name} is not installed; ${advice}`);
}

async function main(): Promise<number> {
  const report = new Report();
  const missing = findMissingTools();
  if (missing.length > 0) {
    report.add("the tools of the documents are installed", missing);
    return report.finish();
  }
  const copy = copyProject(root);
  const check = new Check(report, copy, await findFreePort());
  await runBounded(
    report,
    {
      run: () => check.run(),
      close: async () => {
        await check.close();
        copy.remove();
      },
    },
    timeLimitMs,
  );
  return report.finish();
}

await runScript(main);
process.exit();
