/** Describes the machine and the versions of a measurement. */
import { readFileSync } from "node:fs";
import { cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { formatMebibytes } from "./figures.ts";

const packageFile = z.object({ version: z.string() });
const root = join(import.meta.dirname, "..", "..");

function versionOf(name: string): string {
  const file = readFileSync(join(root, "node_modules", name, "package.json"), "utf8");
  return `${name} ${packageFile.parse(JSON.parse(file)).version}`;
}

export function machine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? "unknown processor";
  return `${processors.length} × ${model}, ${formatMebibytes(totalmem())} memory, ${platform()} ${release()}`;
}

export function versions(): string {
  return [`Node ${process.versions.node}`, versionOf("workerd"), versionOf("miniflare")].join(", ");
}
