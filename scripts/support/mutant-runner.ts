/**
 * Runs as a child of `check-mutants.ts` in a copy of the repository: writes one mutant at a time over its source, runs
 * the tests and reports whether one failed. Vitest keeps running, so that unchanged files are not compiled again.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type CliOptions, createVitest, type Vitest } from "vitest/node";
import { z } from "zod";

const orderSchema = z.object({
  file: z.string(),
  text: z.string(),
  inNode: z.array(z.string()),
  inWorkerd: z.array(z.string()),
});
export type Order = z.output<typeof orderSchema>;

export const reportSchema = z.object({ isKilled: z.boolean(), by: z.string() });

/** Stops at the first failure, and prints nothing. */
function quietOptions(): CliOptions {
  return { watch: false, bail: 1, reporters: [{}], silent: true };
}

let inNode: Promise<Vitest> | undefined;
let inWorkerd: Promise<Vitest> | undefined;

/** Replaces the text of a file. Vitest does not watch files here, so it must be notified. */
async function replaceText(file: string, text: string): Promise<void> {
  writeFileSync(file, text);
  for (const vitest of [await inNode, await inWorkerd]) vitest?.invalidateFile(resolve(file));
}

/** Returns the first test file that fails; undefined if all pass. */
async function findFailingFile(
  vitest: Vitest,
  files: readonly string[],
): Promise<string | undefined> {
  // Failures of earlier mutants would stop the next run at once.
  vitest.state.filesMap.clear();
  // One after the other, because most mutants fail in the first file.
  for (const file of files) {
    const specifications = await vitest.globTestSpecifications([file]);
    if (specifications.length === 0) throw new Error(`${file} is not a test`);
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
    if (unhandledErrors.length > 0 || testModules.some((module) => !module.ok())) return file;
  }
  return undefined;
}

async function findKiller({ inNode: pure, inWorkerd: real }: Order) {
  if (pure.length > 0) {
    inNode ??= createVitest("test", {
      ...quietOptions(),
      config: false,
      pool: "threads",
      testTimeout: 30_000,
      include: ["test/**/*.test.ts"],
    });
    const killer = await findFailingFile(await inNode, pure);
    if (killer !== undefined) return killer;
  }
  if (real.length === 0) return undefined;
  inWorkerd ??= createVitest("test", quietOptions());
  return await findFailingFile(await inWorkerd, real);
}

if (process.send !== undefined) {
  process.on("message", async (message) => {
    const order = orderSchema.parse(message);
    const original = readFileSync(order.file, "utf8");
    await replaceText(order.file, order.text);
    const by = await findKiller(order);
    await replaceText(order.file, original);
    process.send?.({ isKilled: by !== undefined, by: by ?? "" });
  });
  process.on("disconnect", () => process.exit());
}
