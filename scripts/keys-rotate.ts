/**
 * `npm run keys:rotate`: adds a version of a key, re-encrypts data under it, and drops the old version.
 * docs/operations.md has the whole procedure.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { Failure } from "../packages/cli/src/failure.ts";
import { readSecret, writeSecret } from "../packages/cli/src/secret-file.ts";
import { keyringNames, secretOf } from "../src/keys/keyring-names.ts";
import { listVersions, signingVersionOf } from "../src/step-up/signing-version.ts";
import {
  findKeyring,
  readKeyring,
  requireDeployed,
  tokenSigningSecret,
} from "./support/deployed-keys.ts";
import { OperatorApi } from "./support/operator-api.ts";
import { runScript } from "./support/run-script.ts";
import {
  requireUrl,
  resolveService,
  type ServiceOptions,
  serviceHelp,
  serviceOptions,
} from "./support/service-options.ts";

const keyBytes = 32;
/** After this many passes, the operator must examine the identities that still fail. */
const maxPasses = 3;

/** No stored data needs a key of step-up tokens, so this keyring has no versions in use, and the file decides. */
const tokenSigning = "token_signing";
const names = [...keyringNames, tokenSigning] as const;
type Name = (typeof names)[number];
const secrets: Readonly<Record<Name, string>> = {
  ...secretOf,
  token_signing: tokenSigningSecret,
};

const helpText = `Rotate a key of the service.

  npm run keys:rotate -- add KEYRING           add a new version to the file of secrets
  npm run keys:rotate -- run                   re-encrypt all data under the newest version; resumes
  npm run keys:rotate -- status                print the versions in use
  npm run keys:rotate -- drop KEYRING VERSION  remove an unused version from the file

KEYRING is one of ${names.join(", ")}.

${serviceHelp}  --limit N     identities in one request (default 40: the free plan allows 50 subrequests)
`;

interface Options extends ServiceOptions {
  readonly limit: number;
}

function parseKeyringName(name: string | undefined): Name {
  const known = names.find((candidate) => candidate === name?.replaceAll("-", "_"));
  if (known === undefined) throw new Failure(`KEYRING is one of ${names.join(", ")}.`);
  return known;
}

const deployStep = 'deploy (local: restart "npm run dev")';

/** What the operator does after a version has been added. */
function describeNext({ file, url, given }: Options, keyring: Name, version: number): string {
  const run = `npm run keys:rotate -- run${given}${url === undefined ? " --url URL" : ""}`;
  const steps: Readonly<Record<Name, string>> = {
    sealing: `keep a copy of the file, ${deployStep}, then: ${run}`,
    backup_codes: `keep a copy of the file, and ${deployStep}. Codes that users have stay under their version; to count them: ${run}`,
    audit_signing: `keep a copy of the file, and ${deployStep}. Keep every older version: checkpoints are signed with them.`,
    token_signing: `${deployStep}. Version ${signingVersionOf(readKeyring(file, secrets.token_signing).ring)} signs then, and ${version} is announced.`,
  };
  return steps[keyring];
}

function addVersion(options: Options, keyring: Name): void {
  const { file } = options;
  const name = secrets[keyring];
  const { text, ring } = readKeyring(file, name);
  const version = ring.newest + 1;
  writeSecret(file, name, `${text},${version}:${randomBytes(keyBytes).toString("base64")}`);
  process.stdout.write(
    `${name} has version ${version} in ${file} now.\nNext: ${describeNext(options, keyring, version)}\n`,
  );
}

function openApi(options: Options): OperatorApi {
  return new OperatorApi(requireUrl(options), readSecret(options.file, "OPERATOR_TOKEN"));
}

async function reEncrypt(options: Options): Promise<void> {
  const api = openApi(options);
  const { limit } = options;
  const from = (await requireDeployed(options.file, api)).re_encryption;
  for (;;) {
    const now = await api.reEncrypt(limit);
    const share = now.total === 0 ? 100 : Math.floor((100 * now.seen) / now.total);
    process.stdout.write(
      `Version ${now.version}: ${now.seen} of ${now.total} identities (${Math.min(share, 100)} %)${now.failed > 0 ? `, ${now.failed} failed` : ""}\n`,
    );
    if (now.done) break;
    if (now.passes - (from?.passes ?? 0) >= maxPasses) {
      throw new Failure(
        `${now.left_over} identities could not be re-encrypted under version ${now.version}; the service's log says why. Old versions are still needed.`,
      );
    }
  }
  process.stdout.write("Everything is under the newest sealing key.\n");
  await printStatus(options);
}

async function printStatus(options: Options): Promise<void> {
  const { file } = options;
  const { keys, counted } = await requireDeployed(file, openApi(options));
  for (const key of keys) {
    const use = key.newest ? "newest" : key.in_use ? "in use" : "unused";
    const sets = key.backup_code_sets ? `, ${key.backup_code_sets} sets of codes` : "";
    const gone = key.in_keyring ? "" : ", not in the keyring";
    process.stdout.write(`${key.keyring} ${key.version}: ${use}${sets}${gone}\n`);
  }
  const at = counted.complete ? `counted at ${counted.at}` : 'not counted yet; "run" counts them';
  process.stdout.write(`Sets of codes: ${at}.\n`);
  printTokenKeys(file);
}

/** Prints what a deployment with the file does with each key of step-up tokens. */
function printTokenKeys(file: string): void {
  const ring = findKeyring(file, secrets.token_signing);
  if (ring === undefined) return;
  const signing = signingVersionOf(ring);
  for (const version of listVersions(ring).toReversed()) {
    const use = version > signing ? "announced" : version === signing ? "signs" : "earlier tokens";
    process.stdout.write(`${tokenSigning} ${version}: ${use} (by ${file})\n`);
  }
}

async function dropVersion(options: Options, keyring: Name, text: string | undefined) {
  const version = Number(text);
  const { file } = options;
  const name = secrets[keyring];
  const { ring, text: before } = readKeyring(file, name);
  if (!ring.keys.has(version)) throw new Failure(`${name} in ${file} has no version ${text}.`);
  const { keys } = await requireDeployed(file, openApi(options));
  const isInUse =
    keyring === tokenSigning
      ? version >= signingVersionOf(ring)
      : (keys.find((key) => key.keyring === keyring && key.version === version)?.in_use ?? true);
  if (isInUse) {
    throw new Failure(
      `Version ${version} of ${name} is still in use; see: npm run keys:rotate -- status${options.given}`,
    );
  }
  const rest = before.split(",").filter((entry) => Number(entry.split(":")[0]) !== version);
  writeSecret(file, name, rest.join(","));
  process.stdout.write(`${name} in ${file} no longer has version ${version}. Next: deploy.\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...serviceOptions,
      limit: { type: "string", default: "40" },
      help: { type: "boolean", default: false },
    },
  });
  const options = { ...resolveService(values), limit: Number(values.limit) };
  const [verb, ...rest] = positionals;
  switch (values.help ? undefined : verb) {
    case "add":
      addVersion(options, parseKeyringName(rest[0]));
      return 0;
    case "run":
      await reEncrypt(options);
      return 0;
    case "status":
      await printStatus(options);
      return 0;
    case "drop":
      await dropVersion(options, parseKeyringName(rest[0]), rest[1]);
      return 0;
    default:
      process.stdout.write(helpText);
      return values.help || verb === undefined ? 0 : 1;
  }
}

await runScript(main);
