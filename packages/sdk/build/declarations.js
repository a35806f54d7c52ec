/** The declarations in dist/: those that the exports of the package need, and nothing else. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import ts from "typescript";

/** Compiles all declarations of the package, and of the files of the service that it imports. */
function compile(root, folder) {
  const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const options = ["-p", "tsconfig.build.json", "--outDir", folder];
  const { status } = spawnSync(process.execPath, [compiler, ...options], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("The declarations do not compile");
}

/**
 * Copies a declaration, and all that it mentions.
 * @param packages what it may mention outside the sources
 * @throws Error if it mentions something that users of the package would not have
 */
function copyDeclaration(file, sources, dist, packages, copied = new Set()) {
  if (copied.has(file)) return;
  copied.add(file);
  let text = readFileSync(file, "utf8");
  for (const { fileName: name } of ts.preProcessFile(text).importedFiles) {
    if (packages.includes(name)) continue;
    const mentioned = join(dirname(file), name.replace(/\.ts$/, ".d.ts"));
    if (!name.startsWith(".") || relative(sources, mentioned).startsWith("..")) {
      throw new Error(`${relative(sources, file)} mentions ${name}, which is not in the package`);
    }
    copyDeclaration(mentioned, sources, dist, packages, copied);
    text = text.replaceAll(`"${name}"`, `"${name.replace(/\.ts$/, ".js")}"`);
  }
  const target = join(dist, relative(sources, file));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/**
 * @param root the folder of the package
 * @param entries paths below src/ that the package exports
 * @param packages what the declarations may import
 */
export function writeDeclarations(root, dist, entries, packages) {
  const folder = mkdtempSync(join(tmpdir(), "edge-idp-sdk-"));
  try {
    compile(root, folder);
    const sources = join(folder, "packages/sdk/src");
    for (const entry of entries) {
      const file = join(sources, entry.replace(/\.ts$/, ".d.ts"));
      copyDeclaration(file, sources, dist, packages);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
