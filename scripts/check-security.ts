/**
 * `npm run check:security`: runs every attack and every fault that SECURITY.md describes against the service in
 * workerd, and counts them. Exits with 0 if none succeeds.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { z } from "zod";
import { Failure } from "../packages/cli/src/failure.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");

/** Folders of tests, and what each one tries. */
const groups = [
  ["test/attacks", "attacks over HTTP"],
  ["test/fuzz", "fuzzing from the OpenAPI document"],
  ["test/history", "histories of concurrent calls"],
  ["test/faults", "faults of stores, guards and replies"],
  ["test/idempotency", "retries"],
  ["test/keys", "key rotation, complete and interrupted"],
  ["test/restore", "restores of an older D1 or guard"],
  ["test/privacy", "erasure"],
  ["test/relocation", "relocations: complete, under load and killed"],
] as const;

/** Random requests in each file of test/fuzz. */
const requests = Number(process.env.FUZZ_REQUESTS ?? 3_000);
const histories = Number(process.env.HISTORIES ?? 200);

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
});
type FileResult = z.output<typeof reportSchema>["testResults"][number];

async function runTests(reportFile: string): Promise<FileResult[]> {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=json", `--outputFile=${reportFile}`, "--silent"];
  const folders = groups.map(([folder]) => `${folder}/`);
  const child = spawn(process.execPath, [vitest, "run", ...folders, ...reporters], {
    cwd: root,
    // The runtime prints each guard that a test aborts on purpose.
    stdio: ["ignore", "ignore", "ignore"],
    env: {
      ...process.env,
      TEST_SIZE: "full",
      FUZZ_REQUESTS: String(requests),
      HISTORIES: String(histories),
    },
  });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  try {
    return reportSchema.parse(JSON.parse(readFileSync(reportFile, "utf8"))).testResults;
  } catch {
    throw new Failure("The tests did not finish; see: npx vitest run test/attacks");
  }
}

function findFailures({ name, status, message, assertionResults }: FileResult): string[] {
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length > 0)
    return failed.map(({ fullName }) => `${relative(root, name)}: ${fullName}`);
  return status === "passed" ? [] : [`${relative(root, name)}: ${message}`];
}

async function main(): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), "edge-idp-security-"));
  try {
    const files = await runTests(join(scratch, "report.json"));
    let tried = 0;
    let randomRequests = 0;
    for (const [folder, what] of groups) {
      const own = files.filter(({ name }) => relative(root, name).startsWith(`${folder}/`));
      if (folder === "test/fuzz") randomRequests = own.length * requests;
      const count = own.flatMap(({ assertionResults }) => assertionResults).length;
      if (count === 0) throw new Failure(`No test ran in ${folder}`);
      tried += count;
      process.stdout.write(`${String(count).padStart(5)}  ${what}\n`);
    }
    const failures = files.flatMap(findFailures);
    process.stdout.write(
      `${tried} tried, including ${histories} histories and ${randomRequests} random requests; ${failures.length} failed\n`,
    );
    for (const failure of failures) process.stdout.write(`FAILED  ${failure}\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await runScript(main);
