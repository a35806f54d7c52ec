/** Reads and writes configurations of wrangler in TOML. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify, TomlError } from "smol-toml";
import { Failure } from "../failure.ts";
import { type Configuration, configurationFile, configurationSchema } from "./configuration.ts";

const header = `# The configuration of this deployment. edge-idp setup and edge-idp upgrade write it from wrangler.toml.
# What wrangler.toml has, they write anew. These stay as they are here: the name, ids, vars, further
# databases, and whatever wrangler.toml does not have, such as [limits] or routes. The file has no secrets.
# Keep it with your fork, and deploy with it: npx edge-idp upgrade.
`;

/** @throws Failure if the text is not a configuration */
function parseConfiguration(file: string, text: string): Configuration {
  try {
    const result = configurationSchema.safeParse(parse(text));
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new Failure(`${file}: ${issue?.path.join(".")}: ${issue?.message}.`);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new Failure(`${file}, line ${error.line}: it is not valid TOML.`);
  }
}

/** @throws Failure if wrangler.toml is not valid */
export function readBaseConfiguration(project: string): Configuration {
  const file = "wrangler.toml";
  return parseConfiguration(file, readFileSync(join(project, file), "utf8"));
}

/** Undefined before the first run. @throws Failure if the file is not valid */
export function readConfiguration(project: string): Configuration | undefined {
  const path = join(project, configurationFile);
  if (!existsSync(path)) return undefined;
  return parseConfiguration(configurationFile, readFileSync(path, "utf8"));
}

export function formatConfiguration(configuration: Configuration): string {
  return `${header}\n${stringify(configuration)}\n`;
}

export function isConfigurationWritten(project: string, text: string): boolean {
  const path = join(project, configurationFile);
  return existsSync(path) && readFileSync(path, "utf8") === text;
}

/** An interrupted write leaves the old file intact. */
export function writeConfiguration(project: string, text: string): void {
  const path = join(project, configurationFile);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
