/**
 * `npm run check:clients`: generates a client from the service's own OpenAPI document with each of five generators,
 * compiles it, and makes a journey with it: provision, enrol, verify, list, export. Then the same against a newer
 * service, whose answers have new fields and values. The journeys are in test/clients.
 *
 * At the end, libraries of three languages verify live messages of webhooks, programs of three languages bundles of
 * events, and libraries of two languages step-up tokens, before and after a rotation of their keys.
 */
import { join } from "node:path";
import { BundleCheck } from "../test/clients/bundles.ts";
import type { Client } from "../test/clients/client.ts";
import { findProblems } from "../test/clients/journey.ts";
import { startNewerService } from "../test/clients/newer-service.ts";
import { oapiCodegen } from "../test/clients/oapi-codegen.ts";
import { ogen } from "../test/clients/ogen.ts";
import { openapiGenerator } from "../test/clients/openapi-generator.ts";
import { openapiPythonClient } from "../test/clients/openapi-python-client.ts";
import { openapiTypescript } from "../test/clients/openapi-typescript.ts";
import { StepUpCheck } from "../test/clients/step-up-tokens.ts";
import { WebhookCheck } from "../test/clients/webhooks.ts";
import { Workplace } from "../test/clients/workplace.ts";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { hasTools } from "../test/e2e/tools.ts";
import { runScript } from "./support/run-script.ts";
import { createDemoTenant } from "./support/service.ts";

const root = join(import.meta.dirname, "..");
const timeLimitMs = 900_000;
/** One waits for a registry or the service while the other computes. */
const maxAtOnce = 2;

/** The slowest come first. */
const clients = [openapiGenerator, ogen, oapiCodegen, openapiPythonClient, openapiTypescript];

async function fetchDocument(url: string): Promise<string> {
  const answer = await fetch(url);
  if (answer.status !== 200) throw new Error(`${url} answers ${answer.status}`);
  return await answer.text();
}

class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #closing: (() => Promise<void>)[] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  async run(): Promise<void> {
    const service = await LocalService.create(this.#copy);
    this.#closing.push(() => service.close());
    await service.waitUntilReady();
    const newer = await startNewerService(service.url);
    this.#closing.push(newer.close);

    const waiting = [...clients];
    const work = async () => {
      for (let client = waiting.shift(); client !== undefined; client = waiting.shift()) {
        if (!hasTools(this.#report, client.name, client.tools)) continue;
        await this.#checkClient(client, service, newer.url);
      }
    };
    await Promise.all(Array.from({ length: maxAtOnce }, work));
    if (hasTools(this.#report, "webhooks", ["python3", "go"])) {
      const webhooks = new WebhookCheck(this.#report, root, this.#copy.scratch, service);
      this.#closing.push(() => webhooks.close());
      await webhooks.run();
    }
    if (hasTools(this.#report, "bundles", ["python3", "go"])) {
      const bundles = new BundleCheck(this.#report, root, this.#copy.scratch, service);
      this.#closing.push(() => bundles.close());
      await bundles.run();
    }
    if (!hasTools(this.#report, "step-up tokens", ["python3"])) return;
    const stepUp = new StepUpCheck(this.#report, root, this.#copy, service);
    this.#closing.push(() => stepUp.close());
    await stepUp.run();
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()));
    this.#copy.remove();
  }

  async #checkClient(client: Client, service: LocalService, newerUrl: string): Promise<void> {
    const document = await fetchDocument(`${service.url}/${client.document}`);
    const workplace = new Workplace(root, client, document, this.#copy.scratch);
    this.#closing.push(() => workplace.close());
    for (const step of ["install", "generate", "compile"] as const) {
      const startedAt = Date.now();
      const problems = await workplace.runAll(client[step]);
      const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
      this.#report.add(`${client.name}: ${step} (${seconds} s)`, problems);
      if (problems.length > 0) return;
    }
    for (const url of [service.url, newerUrl]) {
      const token = await createDemoTenant(service.url, service.operatorToken);
      const result = await workplace.run(client.run, { IDP_URL: url, IDP_TOKEN: token });
      const title = url === newerUrl ? "journey with a newer service" : "journey";
      const problems = findProblems(result.output, url === newerUrl);
      if (problems.length > 0 || !result.isSuccess) problems.push(result.output, result.errors);
      this.#report.add(`${client.name}: ${title}`, problems);
    }
  }
}

async function main(): Promise<number> {
  const report = new Report();
  await runBounded(report, new Check(report), timeLimitMs);
  return report.finish();
}

await runScript(main);
process.exit();
