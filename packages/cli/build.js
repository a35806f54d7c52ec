/**
 * `npm run build -w @edge-idp/cli`: makes dist/edge-idp.js, with what it needs of the service's own code. Packages stay
 * outside. Plain JavaScript, because `npm ci` may run it with Node 20.
 */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = import.meta.dirname;
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { "edge-idp": join("src", "edge-idp.ts") },
  outdir: dist,
  bundle: true,
  // A command loads only what it needs.
  splitting: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node22",
  legalComments: "inline",
  logLevel: "warning",
});
copyFileSync(join(root, "..", "..", "LICENSE"), join(dist, "LICENSE"));
