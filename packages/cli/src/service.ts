/**
 * How every command names the service and its own authority: `--url` or IDP_URL, and for a tenant `--token-file` or
 * IDP_TOKEN, for the operator `--secrets-file` or OPERATOR_TOKEN. No option takes a token itself, because other users
 * of the machine can read the arguments of a process. Without any of them, a command in a clone uses the local service
 * of `npm run dev`.
 */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { Failure } from "./failure.ts";
import { findDemoService } from "./project.ts";
import { readSecret } from "./secret-file.ts";

export interface Service {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string;
}

interface GivenOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly secretsFile?: string;
}

function addUrlOption(command: Command): Command {
  return command.option(
    "--url <url>",
    "the address of the service (default: IDP_URL, or that of `npm run dev`)",
  );
}

/** Adds the options of a command that acts for a tenant. */
export function addTenantOptions(command: Command): Command {
  return addUrlOption(command).option(
    "--token-file <file>",
    "a file with an API token of the tenant (default: IDP_TOKEN, or that of the demo tenant)",
  );
}

/** Adds the options of a command that acts for the operator. */
export function addOperatorOptions(command: Command): Command {
  return addUrlOption(command).option(
    "--secrets-file <file>",
    "the file of secrets that the service was deployed with (default: OPERATOR_TOKEN, or .dev.vars)",
  );
}

function trimSlashes(url: string): string {
  return url.replace(/\/+$/, "");
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The address that was named; undefined if none was. */
function findUrl(options: GivenOptions): string | undefined {
  const url = options.url ?? process.env.IDP_URL;
  return url === undefined ? undefined : trimSlashes(url);
}

/** @throws Failure if no token is named, and the service is not the local one */
export function findTenantService(command: Command): Service {
  const options = command.opts<GivenOptions>();
  const demo = findDemoService();
  const url = findUrl(options) ?? demo?.url;
  if (url === undefined) throw new Failure("Name the service with --url or IDP_URL.");
  const named =
    options.tokenFile === undefined ? process.env.IDP_TOKEN : readTokenFile(options.tokenFile);
  const token = named ?? (url === demo?.url ? demo.token : undefined);
  if (token === undefined) {
    throw new Failure("Name a file with an API token with --token-file, or set IDP_TOKEN.");
  }
  return { url, token };
}

/**
 * @throws Failure if the authority is named and the service is not, because the operator's token would then go to the
 * local service; and likewise the other way round
 */
export function findOperatorService(command: Command): Service {
  const options = command.opts<GivenOptions>();
  const demo = findDemoService();
  const file = options.secretsFile;
  const named =
    file === undefined ? process.env.OPERATOR_TOKEN : readSecret(file, "OPERATOR_TOKEN");
  const url = findUrl(options) ?? (named === undefined ? demo?.url : undefined);
  if (url === undefined) {
    throw new Failure(
      `Name the service with --url or IDP_URL: the one that ${file ?? "OPERATOR_TOKEN"} belongs to.`,
    );
  }
  if (named !== undefined) return { url, token: named };
  if (demo === undefined || url !== demo.url) {
    throw new Failure(
      "Name the file of secrets that the service was deployed with with --secrets-file, or set OPERATOR_TOKEN.",
    );
  }
  return { url, token: readSecret(demo.secretsFile, "OPERATOR_TOKEN") };
}

/** The file of secrets that the operator named, or that of the local service; undefined if neither is known. */
export function findSecretsFile(command: Command): string | undefined {
  const { secretsFile } = command.opts<GivenOptions>();
  if (secretsFile !== undefined) return secretsFile;
  const demo = findDemoService();
  if (process.env.OPERATOR_TOKEN !== undefined || demo === undefined) return undefined;
  return demo.secretsFile;
}
