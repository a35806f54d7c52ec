/**
 * `npm run check:openapi`: reads docs/openapi.json and docs/openapi-3.0.json with Redocly CLI and Spectral, and fails
 * at any error or warning. The tools are installed in a copy of test/openapi, because only this check needs them.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../packages/cli/src/failure.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const documents = ["openapi.json", "openapi-3.0.json"];

const install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
const linters = [
  ["redocly", "lint", "--format=stylish", ...documents],
  ["spectral", "lint", "--fail-severity=hint", ...documents],
];

/** Runs a command of the folder to its end. @throws Failure with what it printed, if it does not succeed */
function run([program = "", ...args]: readonly string[], folder: string): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: `${join(folder, "node_modules", ".bin")}:${process.env.PATH}`,
      REDOCLY_TELEMETRY: "off",
      REDOCLY_SUPPRESS_UPDATE_NOTICE: "true",
    },
  });
  if (status !== 0) throw new Failure(`${program} failed:\n${stdout}${stderr}${error ?? ""}`);
  return stdout + stderr;
}

await runScript(async () => {
  const folder = mkdtempSync(join(tmpdir(), "edge-idp-openapi-"));
  try {
    cpSync(join(root, "test/openapi"), folder, { recursive: true });
    for (const name of documents) cpSync(join(root, "docs", name), join(folder, name));
    run(install, folder);
    for (const linter of linters) process.stdout.write(run(linter, folder));
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
