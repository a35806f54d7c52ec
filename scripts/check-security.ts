/**
 * `npm run check:security`: every attack and every fault that SECURITY.md speaks of, tried against the
 * service in real workerd, and counted. Ends with 0 when none got through.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { z } from "zod";
import { Failure, runScript } from "./support/failure.ts";

const root = join(import.meta.dirname, "..");

/** What is tried, by folder of the tests. */
const groups = [
  ["test/attacks", "attacks over HTTP"],
  ["test/fuzz", "fuzzing from the OpenAPI document"],
  ["test/history", "histories of concurrent calls"],
  ["test/faults", "faults of stores, guards and replies"],
  ["test/idempotency", "retries"],
  ["test/keys", "key rotation, whole and interrupted"],
  ["test/restore", "restores of an older D1 or guard"],
  ["test/privacy", "erasure"],
  ["test/relocation", "moves between databases, whole, flooded and killed"],
] as const;

/** In each file of test/fuzz. */
const requests = Number(process.env.FUZZ_REQUESTS ?? 2_000);
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
    // The runtime tells of each guard that is broken off on purpose: that is not shown.
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
    throw new Failure("The tests did not run to their end; see: npx vitest run test/attacks");
  }
}

function failuresOf({ name, status, message, assertionResults }: FileResult): string[] {
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
      if (count === 0) throw new Failure(`Nothing was tried of ${folder}`);
      tried += count;
      process.stdout.write(`${String(count).padStart(5)}  ${what}\n`);
    }
    const failures = files.flatMap(failuresOf);
    process.stdout.write(
      `${tried} tried, with ${histories} histories and ${randomRequests} random requests among them; ${failures.length} failures\n`,
    );
    for (const failure of failures) process.stdout.write(`FAILED  ${failure}\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await runScript(main);
