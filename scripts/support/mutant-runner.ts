/**
 * Runs in a copy of the repository, as a child of `mutants.ts`: writes one mutant at a time over its
 * source, lets the tests run and says whether any of them failed. Vitest stays alive in between, so
 * that what did not change is not read and compiled again.
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

/** Stops at the first failure, and tells nobody. */
function quietOptions(): CliOptions {
  return { watch: false, bail: 1, reporters: [{}], silent: true };
}

let inNode: Promise<Vitest> | undefined;
let inWorkerd: Promise<Vitest> | undefined;

/** Nobody watches the files, so whoever has read this one is told. */
async function replaceText(file: string, text: string): Promise<void> {
  writeFileSync(file, text);
  for (const vitest of [await inNode, await inWorkerd]) vitest?.invalidateFile(resolve(file));
}

/** @returns the test file that failed; undefined when all passed */
async function findFailingFile(
  vitest: Vitest,
  files: readonly string[],
): Promise<string | undefined> {
  // Failures of the mutants before would count, and stop the next run at once.
  vitest.state.filesMap.clear();
  // One after the other: most mutants fall to the first.
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
