/** What `setup` and `upgrade` have in common: the account, the resources, the configuration and the secrets. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { requireProjectFolder } from "../project.ts";
import { readServiceSecrets } from "../service-secrets.ts";
import { type Configuration, configurationFile } from "./configuration.ts";
import { readBaseConfiguration, readConfiguration } from "./configuration-file.ts";
import { findLogin, type Login } from "./login.ts";
import type { BoundDatabase } from "./migrations.ts";
import type { Steps } from "./steps.ts";
import { findTimeLimits } from "./time-limits.ts";
import type { WranglerOptions } from "./wrangler.ts";

/** The only source of the secrets of a deployment. */
export const secretsFile = ".prod.vars";

const packageSchema = z.object({ version: z.string() });

export interface Target {
  readonly project: string;
  /** The version of the product in this folder. */
  readonly version: string;
  readonly login: Login;
  readonly base: Configuration;
  /** Undefined before the first run. */
  readonly previous: Configuration | undefined;
  readonly name: string;
}

const nameFormat = /^[a-z0-9](?:[a-z0-9-]{0,52}[a-z0-9])?$/;

/** @param wantedName the name of the Worker; undefined: that of the configuration */
export async function findTarget(steps: Steps, wantedName: string | undefined): Promise<Target> {
  const project = requireProjectFolder();
  const base = readBaseConfiguration(project);
  const previous = readConfiguration(project);
  const name = wantedName ?? previous?.name ?? base.name;
  if (!nameFormat.test(name)) {
    throw new Failure(`--name ${name}: use lower-case letters, digits and hyphens, at most 54.`);
  }
  if (previous !== undefined && previous.name !== name) {
    throw new Failure(
      `${configurationFile} is of the service ${previous.name}. Use another clone for ${name}.`,
    );
  }
  const { version } = packageSchema.parse(
    JSON.parse(readFileSync(join(project, "package.json"), "utf8")),
  );
  const login = await findLogin(project, previous?.account_id ?? base.account_id);
  const { accountId, accountName } = login;
  steps.note("account", accountName === undefined ? accountId : `${accountName} (${accountId})`);
  return { project, version, login, base, previous, name };
}

/** The text of the file of secrets; empty if there is none. */
export function readSecretsText(project: string): string {
  const file = join(project, secretsFile);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** No message of wrangler may contain a secret. */
export function wranglerOptionsOf({ project, login }: Target): WranglerOptions {
  const { present } = readServiceSecrets(join(project, secretsFile));
  return {
    project,
    timeLimitMs: findTimeLimits().wranglerMs,
    environment: login.environment,
    secrets: Object.values(present).flatMap((value) => (value ? [value] : [])),
  };
}

/** The databases that exist. In a dry run, one that would be created has no id yet. */
export function listBoundDatabases(configuration: Configuration): BoundDatabase[] {
  return configuration.d1_databases.flatMap(({ binding, database_name, database_id: id }) =>
    id === undefined ? [] : [{ binding, name: database_name ?? binding, id }],
  );
}
