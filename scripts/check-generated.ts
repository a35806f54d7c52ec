/**
 * `npm run generate:check`: fails unless every generated file matches its source. Works on copies, and leaves the
 * tree unchanged.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import drizzleConfig from "../drizzle.config.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");

interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

function run(program: string, args: readonly string[]): Outcome {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" },
  });
  return { ok: status === 0, output: `${stdout}${stderr}${error ?? ""}`.trim() };
}

/** Runs a script of this repository or of an installed package with this Node. */
function runNode(...args: readonly string[]): Outcome {
  return run(process.execPath, args);
}

function checkWorkerTypes(): Outcome {
  return runNode(join("node_modules", "wrangler", "bin", "wrangler.js"), "types", "--check");
}

/** Reads every file below a directory, names and contents, into one text. */
function readFolder(directory: string): string {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${relative(directory, file)}\n${readFileSync(file, "utf8")}`)
    .join("\n");
}

/** Compares the schema with the last snapshot, because migrations may hold more than drizzle-kit writes. */
function checkMigrations(): Outcome {
  const { dialect, schema, out } = drizzleConfig;
  if (typeof schema !== "string" || out === undefined) {
    return { ok: false, output: "drizzle.config.ts names no schema or no out directory" };
  }
  const original = join(root, out);
  const scratch = mkdtempSync(join(tmpdir(), "edge-idp-migrations-"));
  try {
    const copy = join(scratch, "migrations");
    cpSync(original, copy, { recursive: true });
    const before = readFolder(copy);
    const { ok, output } = runNode(
      join("node_modules", "drizzle-kit", "bin.cjs"),
      "generate",
      `--dialect=${dialect}`,
      `--schema=${schema}`,
      // drizzle-kit reads every path as relative.
      `--out=${relative(root, copy).replaceAll(sep, "/")}`,
    );
    return { ok: ok && readFolder(copy) === before, output };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function checkOpenApi(): Outcome {
  return runNode(join("scripts", "openapi.ts"), "--check");
}

function checkCliReference(): Outcome {
  return runNode(join("scripts", "cli-reference.ts"), "--check");
}

/** The package itself says how its types are generated. */
function checkSdkTypes(): Outcome {
  const args = ["run", "--silent", "generate", "--workspace", "@edge-idp/sdk", "--", "--check"];
  return run("npm", args);
}

const checks = [
  ["worker-configuration.d.ts", checkWorkerTypes],
  ["migrations", checkMigrations],
  ["docs/openapi.json", checkOpenApi],
  ["docs/cli.md", checkCliReference],
  ["packages/sdk/src/generated/api.ts", checkSdkTypes],
] as const;

await runScript(async () => {
  let code = 0;
  for (const [name, check] of checks) {
    const { ok, output } = check();
    if (ok) {
      process.stdout.write(`${name} is up to date\n`);
    } else {
      process.stderr.write(`${output}\n${name} is out of date; run: npm run generate\n`);
      code = 1;
    }
  }
  return code;
});
