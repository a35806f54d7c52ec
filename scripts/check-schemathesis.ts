/**
 * `npm run check:schemathesis`: schemathesis sends thousands of requests, made from the OpenAPI document, to the real
 * service, and applies all of its checks. Each finding must be in test/schemathesis/explained.json.
 */
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EdgeIdp } from "@edge-idp/sdk";
import { z } from "zod";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { Commands } from "../test/e2e/commands.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { hasTools } from "../test/e2e/tools.ts";
import { compareFindings, explainedSchema, readReport } from "../test/schemathesis/findings.ts";
import { runScript } from "./support/run-script.ts";
import { isTokenAccepted } from "./support/service.ts";

const root = join(import.meta.dirname, "..");
const folder = join(root, "test/schemathesis");
const timeLimitMs = 600_000;
/** Random requests for each operation, and sequences of requests. */
const examples = 20;
/** The user of the document's examples. */
const exampleUser = "ORG_USR_9921_AFG";

const runSchema = z.object({
  complete: z.boolean(),
  errors: z.array(z.unknown()),
  operations: z.object({ total: z.number(), tested: z.number() }),
  test_cases: z.object({ generated: z.number() }),
});

class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #scratch: string;
  readonly #commands: Commands;
  readonly #closing: (() => Promise<unknown>)[] = [];

  constructor(report: Report) {
    this.#report = report;
    this.#scratch = join(this.#copy.scratch, "schemathesis");
    mkdirSync(this.#scratch);
    this.#commands = new Commands(this.#scratch);
    this.#closing.push(() => this.#commands.close());
  }

  async run(): Promise<void> {
    cpSync(folder, this.#scratch, { recursive: true });
    const service = await LocalService.create(this.#copy);
    this.#closing.push(() => service.close());
    await Promise.all([this.#commands.installPythonPackages(), service.waitUntilReady()]);
    await this.#provisionExample(service);
    await this.#attack(service, await this.#createSpareTenant(service));
    const isAlive = await isTokenAccepted(service.url, service.demoToken);
    this.#report.add("the token of the run is still valid", isAlive ? [] : ["it was revoked"]);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()));
    this.#copy.remove();
  }

  /** The examples of the document then name somebody. */
  async #provisionExample({ url, demoToken }: LocalService): Promise<void> {
    await fetch(`${url}/v1/idp/users`, {
      method: "POST",
      headers: { Authorization: `Bearer ${demoToken}`, "Content-Type": "application/json" },
      body: JSON.stringify({ user: { external_id: exampleUser } }),
    });
  }

  /** A tenant that requests may suspend. @returns its id */
  async #createSpareTenant({ url, operatorToken }: LocalService): Promise<string> {
    const operator = new EdgeIdp({ url, token: operatorToken });
    return (await operator.tenants.create({ name: "Spare", mode: "test" })).tenant.id;
  }

  async #attack({ url, demoToken, operatorToken }: LocalService, spareTenant: string) {
    const output = await this.#commands.run(
      "venv/bin/schemathesis",
      [
        ...["--config-file", "schemathesis.toml", "run", `${url}/openapi.json`, "--checks", "all"],
        // The same requests in each run, and every failure of each.
        ...["--generation-deterministic", "--max-examples", String(examples)],
        ...["--continue-on-failure", "--no-shrink", "--no-color"],
        ...["--report", "json,ndjson", "--report-json-path", "run.json"],
        ...["--report-ndjson-path", "events.ndjson"],
      ],
      {
        environment: {
          IDP_TOKEN: demoToken,
          OPERATOR_TOKEN: operatorToken,
          SPARE_TENANT: spareTenant,
        },
        // It ends with 1 if a check has failed.
        allowed: [0, 1],
      },
    );
    const run = runSchema.parse(JSON.parse(this.#read("run.json")));
    const isWhole =
      run.complete && run.errors.length === 0 && run.operations.tested === run.operations.total;
    this.#report.add(
      `schemathesis sent ${run.test_cases.generated} requests to ${run.operations.tested} of ${run.operations.total} operations`,
      isWhole ? [] : [output],
    );
    const explained = explainedSchema.parse(JSON.parse(this.#read("explained.json")));
    const { unexplained, unused } = compareFindings(
      readReport(this.#read("events.ndjson")),
      explained,
    );
    this.#report.add(
      "each finding is explained in test/schemathesis/explained.json",
      unexplained.map(({ check, operation, what }) => `${check}: ${operation}: ${what}`),
    );
    for (const { check, what } of unused) {
      process.stdout.write(`WARNING: an explained finding no longer occurs: ${check}: ${what}\n`);
    }
  }

  #read(file: string): string {
    return readFileSync(join(this.#scratch, file), "utf8");
  }
}

async function main(): Promise<number> {
  const report = new Report();
  if (hasTools(report, "schemathesis finds nothing unexplained", ["python3"])) {
    await runBounded(report, new Check(report), timeLimitMs);
  }
  return report.finish();
}

await runScript(main);
process.exit();
