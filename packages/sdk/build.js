/**
 * `npm run build -w @edge-idp/sdk`: makes dist/index.js and dist/audit.js, each with all that it needs except
 * openapi-fetch, and their declarations. Plain JavaScript, because `npm ci` may run it with Node 20.
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";

const root = import.meta.dirname;
const dist = join(root, "dist");
/** The source of each file in dist/. */
const entries = Object.entries({ index: "src/index.ts", audit: "src/audit/index.ts" }).filter(
  ([, source]) => existsSync(join(root, source)),
);

rmSync(dist, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(entries),
  outdir: dist,
  bundle: true,
  external: ["openapi-fetch"],
  format: "esm",
  platform: "neutral",
  mainFields: ["module", "main"],
  target: "es2022",
  legalComments: "inline",
  logLevel: "warning",
});

// The declarations of the bundled files of the service are needed too, so their folders keep their places.
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
if (status !== 0) process.exit(1);
for (const [name, source] of entries) {
  const declarations = `./types/packages/sdk/${source.replace(/\.ts$/, ".js")}`;
  writeFileSync(join(dist, `${name}.d.ts`), `export * from "${declarations}";\n`);
}
