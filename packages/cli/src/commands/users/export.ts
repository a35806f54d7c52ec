/** `edge-idp users export`: writes the users with their secrets to a file, for a tenant that leaves. */
import { closeSync, existsSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { EdgeIdp, type ExportedUser, IdpError } from "@edge-idp/sdk";
import { type Command, Option } from "commander";
import { Failure } from "../../failure.ts";
import { showWhole } from "../../import/progress-bar.ts";
import { printLine, showProgress } from "../../progress.ts";
import { addTenantOptions, findTenantService, type Service } from "../../service.ts";

const formats = ["edge-idp", "otpauth"] as const;

interface Options {
  readonly format: (typeof formats)[number];
  readonly out: string;
  readonly force?: boolean;
}

function showLines(user: ExportedUser, format: Options["format"]): string {
  if (format === "edge-idp") return `${JSON.stringify(user)}\n`;
  return user.authenticators.map(({ uri }) => `${uri}\n`).join("");
}

/** A file that others cannot read, and that has its name when it is whole. */
class PrivateFile {
  readonly #path: string;
  readonly #part: string;
  readonly #file: number;

  constructor(path: string) {
    this.#path = path;
    this.#part = `${path}.part`;
    // One that an interrupted export left may have other rights.
    rmSync(this.#part, { force: true });
    this.#file = openSync(this.#part, "wx", 0o600);
  }

  write(text: string): void {
    writeSync(this.#file, text);
  }

  keep(): void {
    closeSync(this.#file);
    renameSync(this.#part, this.#path);
  }

  discard(): void {
    closeSync(this.#file);
    rmSync(this.#part, { force: true });
  }
}

/** @throws Failure if the file exists, or cannot be made */
function openFile({ out, force }: Options): PrivateFile {
  if (existsSync(out) && force !== true) {
    throw new Failure(`${out} exists; name another file with --out, or add --force.`);
  }
  try {
    return new PrivateFile(out);
  } catch (error) {
    throw new Failure(`${out}: ${error instanceof Error ? error.message : error}`);
  }
}

interface Exported {
  readonly users: number;
  readonly secrets: number;
  readonly codes: number;
  readonly withoutSecret: number;
  readonly withColon: number;
}

async function writeUsers(
  idp: EdgeIdp,
  file: PrivateFile,
  format: Options["format"],
): Promise<Exported> {
  const counts = { users: 0, secrets: 0, codes: 0, withoutSecret: 0, withColon: 0 };
  for await (const user of idp.users.export()) {
    file.write(showLines(user, format));
    counts.users += 1;
    counts.secrets += user.authenticators.length;
    counts.codes += user.backup_codes_remaining;
    if (user.authenticators.length === 0) counts.withoutSecret += 1;
    if (user.external_id.includes(":")) counts.withColon += 1;
    if (counts.users % 100 === 0) showProgress(`${showWhole(counts.users)} users`);
  }
  return counts;
}

async function runExport(options: Options, { url, token }: Service): Promise<void> {
  const { format, out } = options;
  const file = openFile(options);
  let exported: Exported;
  try {
    exported = await writeUsers(new EdgeIdp({ url, token }), file, format);
  } catch (error) {
    file.discard();
    throw error instanceof IdpError ? new Failure(error.message) : error;
  }
  file.keep();
  showProgress("");
  const { users, secrets, codes, withoutSecret, withColon } = exported;
  process.stdout.write(
    `${out}: ${showWhole(users)} users with ${showWhole(secrets)} TOTP secrets.\n`,
  );
  if (codes > 0) {
    printLine(
      `${showWhole(codes)} backup codes are not in the file, because the service has only keyed hashes of them.`,
    );
  }
  if (format !== "otpauth") return;
  if (withoutSecret > 0) {
    printLine(`${showWhole(withoutSecret)} users without a TOTP secret are not in the file.`);
  }
  if (withColon > 0) {
    printLine(
      `${showWhole(withColon)} users have an external_id with a colon, which a key URI cannot have; the file has a space instead.`,
    );
  }
}

export function addExportCommand(users: Command): void {
  const command = users
    .command("export")
    .summary("write all users with their secrets to a file")
    .description(
      "Writes all users with their TOTP secrets in clear to a file that only you can read. The tenant's setting export.secrets must be true, the token needs idp:export, and the audit trail has an event for each page.",
    )
    .addOption(
      new Option("--format <format>", "a user on a line, or an otpauth key URI on a line")
        .choices(formats)
        .default("edge-idp"),
    )
    .requiredOption("--out <file>", "the file to write")
    .option("--force", "replace the file if it exists");
  addTenantOptions(command).action(async (options: Options) => {
    await runExport(options, findTenantService(command));
  });
}
