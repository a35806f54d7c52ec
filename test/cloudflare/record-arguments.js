/** Loaded into every Node process of a command: appends the arguments of the process to a file. */
import { appendFileSync } from "node:fs";

const file = process.env.RECORDED_ARGUMENTS;
if (file !== undefined) {
  appendFileSync(file, `${JSON.stringify([...process.execArgv, ...process.argv])}\n`);
}
