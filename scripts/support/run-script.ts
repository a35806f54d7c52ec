import { Failure } from "../../packages/cli/src/failure.ts";

/** Runs a script and sets the exit code. Prints a `Failure` as a sentence and exits with 1. */
export async function runScript(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
