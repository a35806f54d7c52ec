/**
 * `npm run check:sdk`: builds and packs the SDK, and installs it in a project of its own (test/sdk). The project is
 * compiled with each way to resolve modules, makes the journey of the tutorial against the service in Node 20, in this
 * Node and in workerd, and meets a server that cuts connections, stays silent and sends errors.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { Project } from "../test/sdk/project.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const timeLimitMs = 300_000;
const resolutions = ["bundler", "node16", "nodenext", "browser"];
/** The packages that the project has installed. */
const installed = ["@edge-idp/sdk", "jose", "otpauth"];

class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #project = new Project(root, join(this.#copy.scratch, "sdk"));
  readonly #closing: (() => Promise<unknown>)[] = [() => this.#project.close()];

  constructor(report: Report) {
    this.#report = report;
  }

  async run(): Promise<void> {
    const service = await LocalService.create(this.#copy);
    this.#closing.push(() => service.close());
    const problems = await this.#project.install();
    this.#report.add("the package is built and installed", problems);
    if (problems.length > 0) return;

    for (const name of resolutions) {
      const found = await this.#project.compile(join("types", `${name}.json`));
      this.#report.add(`types: ${name}`, found);
    }
    const journey = await this.#project.bundle("journey/run.ts", installed);
    const faults = await this.#project.bundle("faults/run.ts", installed);
    await service.waitUntilReady();
    const place = { IDP_URL: service.url, OPERATOR_TOKEN: service.operatorToken };
    for (const node of this.#findNodes()) {
      await this.#runIn(node, "the server that misbehaves", faults);
      await this.#runIn(node, "journey", journey, place);
    }
    await this.#journeyInWorker(service);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()));
    this.#copy.remove();
  }

  #findNodes(): string[] {
    const { node20 } = this.#project;
    if (node20 !== undefined) return [node20, process.execPath];
    const reason = "NOT CHECKED: npm has Node 20 for Linux on x64 only";
    if (process.env.CI) this.#report.add("Node 20", [reason]);
    else this.#report.skip("Node 20", reason);
    return [process.execPath];
  }

  async #runIn(
    node: string,
    title: string,
    file: string,
    environment: Record<string, string> = {},
  ): Promise<void> {
    const { isSuccess, output } = await this.#project.run(node, file, environment);
    const version = node === process.execPath ? process.versions.node : "20";
    this.#report.add(`Node ${version}: ${title}`, isSuccess ? [] : [output]);
  }

  async #journeyInWorker({ url, operatorToken }: LocalService): Promise<void> {
    const script = readFileSync(await this.#project.bundle("journey/worker.ts"), "utf8");
    const worker = new Miniflare(
      convertV4MiniflareOptions({ modules: true, script, compatibilityDate: "2026-08-15" }),
    );
    this.#closing.push(() => worker.dispose());
    const query = new URLSearchParams({ url, operatorToken });
    const answer = await worker.dispatchFetch(`http://journey/?${query}`);
    const text = await answer.text();
    this.#report.add("workerd: journey", answer.ok ? [] : [text]);
  }
}

async function main(): Promise<number> {
  const report = new Report();
  await runBounded(report, new Check(report), timeLimitMs);
  return report.finish();
}

await runScript(main);
process.exit();
