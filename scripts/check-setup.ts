/**
 * `npm run check:setup`: `edge-idp setup` and `edge-idp upgrade` with the real wrangler against a stand-in of
 * Cloudflare's API (test/cloudflare). They were not tried on a real account.
 *
 * The stand-in fails at each request in turn: before the request has an effect, or after it, with the connection or
 * without an answer. The command is run again after each failure, and must end with the same account.
 *
 * TEST_SIZE=quick fails at every fourth request alone. TEST_SIZE=full also tries each request in each way by itself,
 * followed by one run.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { AccountOptions } from "../test/cloudflare/account.ts";
import {
  compareEnds,
  failInTurn,
  failOnce,
  type InTurn,
  loseSecrets,
  setUpDomain,
  setUpOnce,
  upgradeOnce,
  upgradeToBroken,
} from "../test/cloudflare/journeys.ts";
import { Operator, type RunOptions } from "../test/cloudflare/operator.ts";
import type { FailureKind, RequestKey } from "../test/cloudflare/stand-in.ts";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const isFull = process.env.TEST_SIZE === "full";
const every = process.env.TEST_SIZE === "quick" ? 4 : 1;
/** A bound for slow machines, not a measure. */
const timeLimitMs = (isFull ? 180 : 30) * 60_000;
const workers = 2;
const kinds: readonly FailureKind[] = ["500", "cut", "hang"];

/** Requests that wrangler sends: to end a wrangler that hangs takes long, so most runs do without. */
const fromWrangler = /workers\/(?:services|scripts|assets)|\/query #|\/export|#[1-9]/;

/** Requests after whose effect the answer is lost, where a repetition could do it twice. */
const delicate: readonly RequestKey[] = [
  "POST /accounts/:account/d1/database #0",
  "PUT /accounts/:account/workers/scripts/:script #0",
  "POST the service's /v1/tenants #0",
];

interface Task {
  readonly title: string;
  readonly act: () => Promise<readonly string[]>;
}

/** Each kind in turn; a request of wrangler does not hang, unless the check is a full one. */
function chooseKind(key: RequestKey, count: number): FailureKind {
  const kind = kinds[count % kinds.length] ?? "500";
  return kind === "hang" && !isFull && fromWrangler.test(key) ? "cut" : kind;
}

const mayHang = (count: number) => kinds[count % kinds.length] === "hang";

class SetupCheck {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #operators: Operator[] = [];
  #created = 0;
  #afterSetup = "";
  #afterUpgrade = "";
  #setupKeys: readonly RequestKey[] = [];
  #upgradeKeys: readonly RequestKey[] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  async run(): Promise<void> {
    await this.#runTask({
      title: "setup deploys a ready service and makes a tenant; a second run changes nothing",
      act: async () => {
        const operator = await this.#createOperator();
        const { problems, keys } = await setUpOnce(operator);
        this.#setupKeys = keys;
        this.#afterSetup = operator.describe();
        return [...problems, ...(await loseSecrets(operator))];
      },
    });
    await this.#runTask({
      title: "upgrade backs up, migrates and deploys; a second run changes nothing",
      act: async () => {
        const operator = await this.#beginUpgrade();
        const { problems, keys } = await upgradeOnce(operator);
        this.#upgradeKeys = keys;
        this.#afterUpgrade = operator.describe();
        return problems;
      },
    });
    const queue = [...this.#listTasks()];
    const work = async () => {
      for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
        await this.#runTask(task);
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
  }

  async close(): Promise<void> {
    await Promise.all(this.#operators.map((operator) => operator.close()));
    this.#copy.remove();
  }

  #listTasks(): Task[] {
    return [
      {
        title: "upgrade goes on after a failure of each request in turn",
        act: () =>
          this.#failInTurn({
            begin: () => this.#beginUpgrade(),
            run: (operator, options) => operator.upgrade([], options),
            kindOf: chooseKind,
            mayHang,
            check: (operator) => compareEnds(operator, this.#afterUpgrade),
            every,
          }),
      },
      {
        title: "setup goes on after a failure of each request in turn",
        act: () =>
          this.#failInTurn({
            begin: () => this.#createOperator(),
            run: (operator, options) => operator.setup([], options),
            kindOf: chooseKind,
            mayHang,
            check: (operator) => compareEnds(operator, this.#afterSetup),
            every,
          }),
      },
      {
        title: "upgrade rolls back a version that is not ready, also after a failed rollback",
        act: async () => {
          const operator = await this.#beginUpgrade();
          const problems = await upgradeToBroken(operator);
          return [...problems, ...compareEnds(operator, this.#afterUpgrade)];
        },
      },
      {
        title: "setup serves at a domain, on an account whose plan it cannot read",
        act: async () => {
          const operator = await this.#createOperator({ subdomain: null, plan: "hidden" });
          const problems = await setUpDomain(operator);
          return [...problems, ...operator.findLeaks(), ...operator.standIn.unknown];
        },
      },
      ...this.#listSingleTasks(),
    ];
  }

  async #failInTurn(inTurn: InTurn): Promise<readonly string[]> {
    const { problems, count } = await failInTurn(inTurn);
    process.stdout.write(`      ${count} requests have failed in turn\n`);
    return problems;
  }

  async #createOperator(options: AccountOptions = {}): Promise<Operator> {
    this.#created += 1;
    const folder = join(this.#copy.scratch, String(this.#created));
    mkdirSync(folder);
    const operator = await Operator.create(this.#copy.project, folder, options);
    this.#operators.push(operator);
    return operator;
  }

  /** An operator whose service runs, and who has the files of the next version. */
  async #beginUpgrade(): Promise<Operator> {
    const operator = await this.#createOperator();
    const { code, output } = await operator.setup();
    if (code !== 0) throw new Error(output);
    operator.takeNextVersion();
    return operator;
  }

  #listSingleTasks(): Task[] {
    if (!isFull) return delicate.map((key) => this.#failSetupOnce(key, "cut"));
    return kinds.flatMap((kind) => [
      ...this.#setupKeys.map((key) => this.#failSetupOnce(key, kind)),
      ...this.#upgradeKeys.map((key) => this.#failUpgradeOnce(key, kind)),
    ]);
  }

  #failSetupOnce(key: RequestKey, kind: FailureKind): Task {
    return {
      title: `setup completes after ${kind} of ${key}`,
      act: async () => {
        const operator = await this.#createOperator();
        const problems = await failOnce((options) => operator.setup([], options), key, kind);
        return [...problems, ...compareEnds(operator, this.#afterSetup)];
      },
    };
  }

  #failUpgradeOnce(key: RequestKey, kind: FailureKind): Task {
    return {
      title: `upgrade completes after ${kind} of ${key}`,
      act: async () => {
        const operator = await this.#beginUpgrade();
        const run = (options?: RunOptions) => operator.upgrade([], options);
        const problems = await failOnce(run, key, kind);
        return [...problems, ...compareEnds(operator, this.#afterUpgrade)];
      },
    };
  }

  async #runTask({ title, act }: Task): Promise<void> {
    const started = Date.now();
    const problems = await act();
    const seconds = Math.round((Date.now() - started) / 1_000);
    this.#report.add(`${title} (${seconds} s)`, problems);
  }
}

async function main(): Promise<number> {
  const report = new Report();
  await runBounded(report, new SetupCheck(report), timeLimitMs);
  return report.finish();
}

await runScript(main);
process.exit();
