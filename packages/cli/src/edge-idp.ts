/** What the command `edge-idp` runs: it parses the arguments, runs one command and sets the exit code. */
import { CommanderError } from "commander";
import { Failure } from "./failure.ts";
import { createProgram } from "./program.ts";
import { showProgress } from "./progress.ts";

/** The exit codes of every command. A command with a verdict sets 1 itself when the verdict is bad. */
const exitCodes = { failed: 1, wrongArguments: 2 };

try {
  await createProgram().parseAsync();
} catch (error) {
  showProgress("");
  if (error instanceof Failure) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = exitCodes.failed;
  } else if (error instanceof CommanderError) {
    // Commander has printed the help or what is wrong.
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.wrongArguments;
  } else {
    throw error;
  }
}
