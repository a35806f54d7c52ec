/** `edge-idp keys rotate`: adds a version of a key, re-encrypts data under it, and drops the old version. */
import { type Command, InvalidArgumentError } from "commander";
import { parseCount } from "../arguments.ts";
import { addExamples } from "../help.ts";
import { type RotatedName, rotatedNames } from "../keys/keyrings.ts";
import { addVersion, dropVersion, printStatus, type Rotation, reEncrypt } from "../keys/rotate.ts";
import {
  addSecretsOptions,
  connect,
  findNamedUrl,
  findSecretsFile,
  findServiceWithSecrets,
  isLocalFile,
  repeatGivenOptions,
} from "../service.ts";

/** The free plan allows 50 subrequests. */
const defaultIdentities = 40;

function parseKeyring(text: string): RotatedName {
  const known = rotatedNames.find((name) => name === text.replaceAll("-", "_"));
  if (known !== undefined) return known;
  throw new InvalidArgumentError(`KEYRING is one of ${rotatedNames.join(", ")}.`);
}

function addKeyringArgument(command: Command): Command {
  return command.argument("<keyring>", rotatedNames.join(", "), parseKeyring);
}

function findRotation(command: Command): Rotation {
  const service = findServiceWithSecrets(command);
  const given = repeatGivenOptions(command);
  return { file: service.secretsFile, idp: connect(service), given };
}

function addAddCommand(group: Command): void {
  const command = group
    .command("add")
    .summary("add a new version to the file of secrets")
    .description(
      "Adds a new version of a key to the file of secrets, and prints what to do next. The service does not change before it is deployed with the file.",
    );
  addKeyringArgument(command);
  addSecretsOptions(command);
  command.action((keyring: RotatedName) => {
    const file = findSecretsFile(command);
    const given = repeatGivenOptions(command);
    const hasService = isLocalFile(file) || findNamedUrl(command) !== undefined;
    const runOptions = hasService ? given : `${given} --url URL`;
    process.stdout.write(addVersion(file, keyring, runOptions));
  });
  addExamples(command, [
    {
      line: "keys rotate add sealing --secrets-file .prod.vars",
      what: "the first step of a rotation",
    },
  ]);
}

function addRunCommand(group: Command): void {
  const command = group
    .command("run")
    .summary("re-encrypt all data under the newest version")
    .description(
      "Re-encrypts all data under the newest version, and prints the progress. It can be stopped at any time, and resumes when it is started again. Refuses to run if the service does not use the newest versions of the file.",
    )
    .option(
      "--limit <n>",
      "identities in one request; the free plan allows 50 subrequests",
      parseCount,
      defaultIdentities,
    );
  addSecretsOptions(command);
  command.action(async ({ limit }: { readonly limit: number }) => {
    const rotation = findRotation(command);
    await reEncrypt(rotation, limit);
    await printStatus(rotation);
  });
  addExamples(command, [
    {
      line: "keys rotate run --secrets-file .prod.vars --url https://idp.example.com",
      what: "after the deployment with the new version",
    },
  ]);
}

function addStatusCommand(group: Command): void {
  const command = group
    .command("status")
    .summary("print the versions in use")
    .description(
      "Prints each version of each key, and whether data needs it. Refuses to answer if the service does not use the newest versions of the file.",
    );
  addSecretsOptions(command);
  command.action(async () => await printStatus(findRotation(command)));
  addExamples(command, [{ line: "keys rotate status", what: "of the local service" }]);
}

function addDropCommand(group: Command): void {
  const command = group
    .command("drop")
    .summary("remove an unused version from the file of secrets")
    .description(
      "Removes a version from the file of secrets. Refuses to remove a version that data needs, and to work on a file that the service was not deployed with.",
    );
  addKeyringArgument(command).argument("<version>", "the number of the version", parseCount);
  addSecretsOptions(command);
  command.action(async (keyring: RotatedName, version: number) => {
    process.stdout.write(await dropVersion(findRotation(command), keyring, version));
  });
  addExamples(command, [
    {
      line: "keys rotate drop sealing 1 --secrets-file .prod.vars --url https://idp.example.com",
      what: "the last step of a rotation",
    },
  ]);
}

export function addKeysCommand(program: Command): void {
  const rotate = program
    .command("keys")
    .summary("rotate the keys of the service")
    .description("The keys under which the service seals, hashes and signs.")
    .command("rotate")
    .summary("add, use and drop versions of a key")
    .description(
      "Rotates a key: add a version, deploy, run, drop the old version, deploy. docs/operations.md has the whole procedure.",
    );
  addAddCommand(rotate);
  addRunCommand(rotate);
  addStatusCommand(rotate);
  addDropCommand(rotate);
}
