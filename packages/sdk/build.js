/**
 * `npm run build -w @edge-idp/sdk`: makes the files of dist/, each with all that it needs except the dependencies of the
 * package, their declarations, and the licences of the code of others in them. Plain JavaScript, because
 * `npm ci` may run it with Node 20.
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { writeDeclarations } from "./build/declarations.js";
import { writeLicences } from "./build/licences.js";

const root = import.meta.dirname;
const dist = join(root, "dist");
/** The source of each file in dist/, below src/. */
const entries = {
  index: "index.ts",
  audit: "audit/index.ts",
  browser: "browser/index.ts",
  tokens: "tokens/index.ts",
  webhooks: "webhooks/index.ts",
};
const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const external = Object.keys(dependencies);

rmSync(dist, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(
    Object.entries(entries).map(([name, source]) => [name, join("src", source)]),
  ),
  outdir: dist,
  bundle: true,
  external,
  format: "esm",
  platform: "neutral",
  mainFields: ["module", "main"],
  target: "es2022",
  legalComments: "inline",
  metafile: true,
  logLevel: "warning",
});
// The bundles contain files of the service.
copyFileSync(join(root, "..", "..", "LICENSE"), join(dist, "LICENSE"));

writeLicences(root, dist, metafile);
writeDeclarations(root, dist, Object.values(entries), external);
for (const name of ["audit", "browser", "tokens", "webhooks"]) {
  writeFileSync(join(dist, `${name}.d.ts`), `export * from "./${name}/index.js";\n`);
}
