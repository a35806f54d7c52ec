/** What the command `edge-idp` runs: it parses the arguments, runs one command and sets the exit code. */
import { IdpError } from "@edge-idp/sdk";
import { CommanderError } from "commander";
import { describeIdpError } from "./describe-error.ts";
import { exitCodes, Failure } from "./failure.ts";
import { createProgram } from "./program.ts";
import { showProgress } from "./progress.ts";

for (const stream of [process.stdout, process.stderr]) {
  // A reader that has read enough closes the pipe, such as `head`. That is no failure.
  stream.on("error", (error) => {
    if (!("code" in error) || error.code !== "EPIPE") throw error;
    process.exit();
  });
}

try {
  await createProgram().parseAsync();
} catch (error) {
  showProgress("");
  if (error instanceof Failure) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  } else if (error instanceof IdpError) {
    process.stderr.write(`${describeIdpError(error)}\n`);
    process.exitCode = exitCodes.failed;
  } else if (error instanceof Error && "syscall" in error) {
    // A file or folder that the user named; the message has its path.
    process.stderr.write(`${error.message}\n`);
    process.exitCode = exitCodes.failed;
  } else if (error instanceof CommanderError) {
    // Commander has printed the help or what is wrong.
    process.exitCode = error.exitCode === 0 ? exitCodes.success : exitCodes.unusable;
  } else {
    throw error;
  }
}
