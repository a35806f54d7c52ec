/**
 * How every command names the service and its own authority: `--url` or IDP_URL, and for a tenant `--token-file` or
 * IDP_TOKEN, for the operator `--secrets-file` or OPERATOR_TOKEN. No option takes a token itself, because other users
 * of the machine can read the arguments of a process. Without any of them, a command in a clone uses the local service
 * of `npm run dev`.
 *
 * A command that is given an authority must be given its service too. Otherwise it would send the token of one service
 * to another.
 */
import { readFileSync } from "node:fs";
import { EdgeIdp } from "@edge-idp/sdk";
import type { Command } from "commander";
import { exitCodes, Failure } from "./failure.ts";
import { type DemoService, findDemoService } from "./project.ts";
import { readSecret } from "./secret-file.ts";
import { quoteForShell } from "./shell.ts";

export interface Service {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string;
}

/** A service of the operator, and the file of secrets that it was deployed with. */
export interface ServiceWithSecrets extends Service {
  readonly secretsFile: string;
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

/** Adds the options of a command that compares the file of secrets with the service. */
export function addSecretsOptions(command: Command): Command {
  return addUrlOption(command).option(
    "--secrets-file <file>",
    "the file of secrets that the service was deployed with (default: .dev.vars)",
  );
}

/** The options of service and authority as they were given, with a space before each, for a command in a message. */
export function repeatGivenOptions(command: Command): string {
  const { url, tokenFile, secretsFile } = command.opts<GivenOptions>();
  const given = { "secrets-file": secretsFile, "token-file": tokenFile, url };
  return Object.entries(given)
    .flatMap(([name, value]) => (value === undefined ? [] : [` --${name} ${quoteForShell(value)}`]))
    .join("");
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Undefined if the command names no service. */
export function findNamedUrl(command: Command): string | undefined {
  const url = command.opts<GivenOptions>().url ?? process.env.IDP_URL;
  return url?.replace(/\/+$/, "");
}

/**
 * The address that the command names, or that of the local service.
 * @param authority what the command names as its authority; undefined if nothing
 * @throws Failure if only an authority is named
 */
function requireUrl(
  command: Command,
  demo: DemoService | undefined,
  authority: string | undefined,
): string {
  const named = findNamedUrl(command);
  if (named !== undefined) return named;
  if (authority !== undefined) {
    throw new Failure(
      `Name the service with --url or IDP_URL: the one that ${authority} belongs to.`,
    );
  }
  if (demo === undefined) throw new Failure("Name the service with --url or IDP_URL.");
  return demo.url;
}

/** @throws Failure if service or token are not named, and the service is not the local one */
export function findTenantService(command: Command): Service {
  const { tokenFile } = command.opts<GivenOptions>();
  const demo = findDemoService();
  const { IDP_TOKEN } = process.env;
  const named = tokenFile === undefined ? IDP_TOKEN : readTokenFile(tokenFile);
  const authority = named === undefined ? undefined : (tokenFile ?? "IDP_TOKEN");
  const url = requireUrl(command, demo, authority);
  const token = named ?? (url === demo?.url ? demo.token : undefined);
  if (token === undefined) {
    throw new Failure("Name a file with an API token with --token-file, or set IDP_TOKEN.");
  }
  return { url, token };
}

/** @throws Failure if service or authority are not named, and the service is not the local one */
export function findOperatorService(command: Command): Service {
  const { secretsFile } = command.opts<GivenOptions>();
  const { OPERATOR_TOKEN } = process.env;
  const named =
    secretsFile === undefined ? OPERATOR_TOKEN : readSecret(secretsFile, "OPERATOR_TOKEN");
  const authority = named === undefined ? undefined : (secretsFile ?? "OPERATOR_TOKEN");
  const url = requireUrl(command, findDemoService(), authority);
  if (named !== undefined) return { url, token: named };
  return { url, token: readSecret(requireDemoSecrets(url), "OPERATOR_TOKEN") };
}

/** @param url undefined: no service is named @throws Failure if another service than the local one is named */
function requireDemoSecrets(url: string | undefined): string {
  const demo = findDemoService();
  if (demo !== undefined && (url === undefined || url === demo.url)) return demo.secretsFile;
  throw new Failure(
    "Name the file of secrets that the service was deployed with: --secrets-file FILE.",
  );
}

/** The file that the command names, or that of the local service. @throws Failure if another service is named */
export function findSecretsFile(command: Command): string {
  return command.opts<GivenOptions>().secretsFile ?? requireDemoSecrets(findNamedUrl(command));
}

/** Whether the file is that of the local service. */
export function isLocalFile(file: string): boolean {
  return file === findDemoService()?.secretsFile;
}

/** For a command that compares the file of secrets with the service. @throws Failure unless both are named */
export function findServiceWithSecrets(command: Command): ServiceWithSecrets {
  const secretsFile = findSecretsFile(command);
  const { secretsFile: named } = command.opts<GivenOptions>();
  const url = requireUrl(command, findDemoService(), named);
  return { url, token: readSecret(secretsFile, "OPERATOR_TOKEN"), secretsFile };
}

/** @throws Failure if the SDK does not accept the address or the token */
export function connect({ url, token }: Service): EdgeIdp {
  try {
    return new EdgeIdp({ url, token });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // The address may have a password in it, so the message does not repeat it.
    throw new Failure(`Service or token cannot be used: ${error.message}.`, exitCodes.unusable);
  }
}

/** The client of a command that acts for a tenant. @throws Failure as `findTenantService` */
export function connectAsTenant(command: Command): EdgeIdp {
  return connect(findTenantService(command));
}

/** The client of a command that acts for the operator. @throws Failure as `findOperatorService` */
export function connectAsOperator(command: Command): EdgeIdp {
  return connect(findOperatorService(command));
}
