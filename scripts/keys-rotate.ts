/**
 * `npm run keys:rotate`: adds a version of a key, re-encrypts data under it, and drops the old version.
 * docs/operations.md has the whole procedure.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseKeyring } from "../src/crypto/keyring.ts";
import { type KeyringName, keyringNames, secretOf } from "../src/keys/keyring-names.ts";
import { Failure, runScript } from "./support/failure.ts";
import { findDemoUrl, OperatorApi } from "./support/operator-api.ts";
import { readSecret, writeSecret } from "./support/secret-file.ts";

const root = join(import.meta.dirname, "..");
const keyBytes = 32;
/** After this many passes, the operator must examine the identities that still fail. */
const maxPasses = 3;

const helpText = `Rotate a key of the service.

  npm run keys:rotate -- add KEYRING           add a new version to the file of secrets
  npm run keys:rotate -- run                   re-encrypt all data under the newest version; resumes
  npm run keys:rotate -- status                print the versions in use
  npm run keys:rotate -- drop KEYRING VERSION  remove an unused version from the file

KEYRING is one of ${keyringNames.join(", ")}.

  --file FILE   the file of secrets (default .dev.vars)
  --url URL     the service (default: that of "npm run dev")
  --limit N     identities in one request (default 40: the free plan allows 50 subrequests)
`;

interface Options {
  readonly file: string;
  readonly url: string;
  readonly limit: number;
}

function parseKeyringName(name: string | undefined): KeyringName {
  const known = keyringNames.find((candidate) => candidate === name?.replaceAll("-", "_"));
  if (known === undefined) throw new Failure(`KEYRING is one of ${keyringNames.join(", ")}.`);
  return known;
}

function readKeyring(file: string, name: string) {
  const text = readSecret(file, name);
  const ring = parseKeyring(text);
  if (typeof ring === "string") throw new Failure(`${name} in ${file} ${ring}.`);
  return { text, ring };
}

function addVersion({ file }: Options, keyring: KeyringName): void {
  const name = secretOf[keyring];
  const { text, ring } = readKeyring(file, name);
  const version = ring.newest + 1;
  writeSecret(file, name, `${text},${version}:${randomBytes(keyBytes).toString("base64")}`);
  process.stdout.write(`${name} has version ${version} in ${file} now.
Next: keep a copy of it, deploy (local: restart "npm run dev"), then: npm run keys:rotate -- run
`);
}

async function reEncrypt({ file, url, limit }: Options): Promise<void> {
  const api = new OperatorApi(url, readSecret(file, "OPERATOR_TOKEN"));
  const from = (await api.keys()).re_encryption;
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
  await printStatus({ file, url, limit });
}

async function printStatus({ file, url }: Options): Promise<void> {
  const { keys, counted } = await new OperatorApi(url, readSecret(file, "OPERATOR_TOKEN")).keys();
  for (const key of keys) {
    const use = key.newest ? "newest" : key.in_use ? "in use" : "unused";
    const sets = key.backup_code_sets ? `, ${key.backup_code_sets} sets of codes` : "";
    const gone = key.in_keyring ? "" : ", not in the keyring";
    process.stdout.write(`${key.keyring} ${key.version}: ${use}${sets}${gone}\n`);
  }
  const at = counted.complete ? `counted at ${counted.at}` : 'not counted yet; "run" counts them';
  process.stdout.write(`Sets of codes: ${at}.\n`);
}

async function dropVersion(options: Options, keyring: KeyringName, text: string | undefined) {
  const version = Number(text);
  const { file, url } = options;
  const name = secretOf[keyring];
  const { ring, text: before } = readKeyring(file, name);
  if (!ring.keys.has(version)) throw new Failure(`${name} in ${file} has no version ${text}.`);
  const { keys } = await new OperatorApi(url, readSecret(file, "OPERATOR_TOKEN")).keys();
  const known = keys.find((key) => key.keyring === keyring && key.version === version);
  if (known === undefined || known.in_use) {
    throw new Failure(
      `Version ${version} of ${name} is still in use; see: npm run keys:rotate -- status`,
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
      file: { type: "string", default: join(root, ".dev.vars") },
      url: { type: "string", default: findDemoUrl() },
      limit: { type: "string", default: "40" },
      help: { type: "boolean", default: false },
    },
  });
  const options = { file: values.file, url: values.url, limit: Number(values.limit) };
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
