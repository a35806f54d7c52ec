/** The project that a command works on: a clone of the repository. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseEnv } from "node:util";
import { Failure } from "./failure.ts";

/** The nearest folder from the current one upwards with the files of the project; undefined if none has them. */
function findProjectFolder(): string | undefined {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (["wrangler.toml", "migrations"].every((name) => existsSync(join(folder, name)))) {
      return folder;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/** @throws Failure outside a clone of the repository */
export function requireProjectFolder(): string {
  const folder = findProjectFolder();
  if (folder !== undefined) return folder;
  throw new Failure(
    "This command needs a clone of the repository: no folder from here upwards has wrangler.toml and migrations.",
  );
}

export interface DemoService {
  readonly url: string;
  readonly token: string | undefined;
  /** The file with the secrets of the local service. */
  readonly secretsFile: string;
}

/** The service that `npm run dev` started last in this project; undefined outside a project. */
export function findDemoService(): DemoService | undefined {
  const folder = findProjectFolder();
  if (folder === undefined) return undefined;
  const file = join(folder, ".dev", "demo.env");
  const { IDP_URL, IDP_TOKEN } = existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
  return {
    url: IDP_URL ?? "http://127.0.0.1:8787",
    token: IDP_TOKEN,
    secretsFile: join(folder, ".dev.vars"),
  };
}
