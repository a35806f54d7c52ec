/** An operator with a clone of the project, a login, and an account of the stand-in. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseEnv } from "node:util";
import { ProcessGroup } from "../e2e/process-group.ts";
import { Account, type AccountOptions } from "./account.ts";
import { DeployedService } from "./deployed-service.ts";
import { describeAccount } from "./describe.ts";
import { type FailureKind, type RecordedRequest, type RequestKey, StandIn } from "./stand-in.ts";

/** Files that a run changes; the clone has copies of them, and links to the others. */
const own = new Set(["wrangler.toml", "package.json", "migrations"]);
/** Short limits for a run in which a request hangs. */
const shortTimeoutSeconds = 4;

export interface RunResult {
  readonly code: number | null;
  readonly output: string;
  readonly requests: readonly RecordedRequest[];
}

export interface RunOptions {
  readonly choose?: (key: RequestKey) => FailureKind | undefined;
  readonly expectsHang?: boolean;
}

export class Operator {
  readonly account: Account;
  readonly service: DeployedService;
  readonly standIn: StandIn;
  readonly project: string;
  /** For backups. */
  readonly backups: string;
  readonly #arguments: string;
  readonly #logs: string;
  readonly #cache: string;
  #output = "";
  #running: ProcessGroup | undefined;

  private constructor(
    folder: string,
    account: Account,
    service: DeployedService,
    standIn: StandIn,
  ) {
    this.account = account;
    this.service = service;
    this.standIn = standIn;
    this.project = join(folder, "project");
    this.backups = join(folder, "backups");
    this.#arguments = join(folder, "arguments");
    this.#logs = join(folder, "logs");
    this.#cache = join(folder, "..", "compile-cache");
  }

  /**
   * @param template a copy of the project that nothing changes
   * @param folder for the files of this operator
   */
  static async create(
    template: string,
    folder: string,
    options: AccountOptions = {},
  ): Promise<Operator> {
    const account = new Account(options);
    const migrations = readdirSync(join(template, "migrations")).filter((name) =>
      name.endsWith(".sql"),
    );
    const service = new DeployedService(account, {
      secrets: [
        "OPERATOR_TOKEN",
        "SEALING_KEYS",
        "BACKUP_CODE_KEYS",
        "AUDIT_SIGNING_KEYS",
        "ADDRESS_HASH_KEY",
      ],
      bindings: ["DB", "IP_REPUTATION", "AUDIT_WITNESS", "GUARD"],
      migrations: (version) => migrations.length + (version === nextVersion ? 1 : 0),
    });
    const operator = new Operator(folder, account, service, await StandIn.start(account, service));
    mkdirSync(operator.project, { recursive: true });
    for (const name of readdirSync(template)) {
      const [source, target] = [join(template, name), join(operator.project, name)];
      if (!own.has(name)) symlinkSync(source, target);
      else if (statSync(source).isDirectory()) cpSync(source, target, { recursive: true });
      else copyFileSync(source, target);
    }
    return operator;
  }

  /** Runs `edge-idp`, with the login in the environment. */
  async run(
    args: readonly string[],
    { choose, expectsHang = false }: RunOptions = {},
  ): Promise<RunResult> {
    this.standIn.begin(choose);
    const recorder = pathToFileURL(join(import.meta.dirname, "record-arguments.js")).href;
    const script = join(this.project, "packages", "cli", "src", "edge-idp.ts");
    const group = new ProcessGroup(
      process.execPath,
      [script, ...args, "--url", this.standIn.origin],
      this.project,
      {
        CLOUDFLARE_API_BASE_URL: this.standIn.apiUrl,
        CLOUDFLARE_API_TOKEN: this.account.token,
        CLOUDFLARE_ACCOUNT_ID: "",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        CI: "true",
        NODE_OPTIONS: `--import ${recorder} --disable-warning=ExperimentalWarning`,
        NODE_COMPILE_CACHE: this.#cache,
        RECORDED_ARGUMENTS: this.#arguments,
        WRANGLER_LOG_PATH: this.#logs,
        ...(expectsHang ? { EDGE_IDP_TIMEOUT_SECONDS: String(shortTimeoutSeconds) } : {}),
      },
    );
    this.#running = group;
    const code = await group.ended;
    const output = group.output + group.errors;
    this.#output += output;
    const requests = [...this.standIn.requests];
    this.standIn.repair();
    return { code, output, requests };
  }

  setup(args: readonly string[] = [], options?: RunOptions): Promise<RunResult> {
    const wishes = ["--queues", "--archive", "--tenant", "Acme", "--ready-within", "2"];
    return this.run(["setup", ...wishes, ...args], options);
  }

  upgrade(args: readonly string[] = [], options?: RunOptions): Promise<RunResult> {
    const folder = ["--backup-folder", this.backups];
    return this.run(["upgrade", ...folder, "--ready-within", "2", ...args], options);
  }

  /** What a new version brings: another number, and a migration. */
  takeNextVersion(): void {
    const file = join(this.project, "package.json");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/"version": "[^"]+"/, `"version": "${nextVersion}"`));
    const migration = "CREATE TABLE `additions` (`id` text PRIMARY KEY NOT NULL);\n";
    writeFileSync(join(this.project, "migrations", "9000_additions.sql"), migration);
  }

  /** The file of secrets; undefined before it exists. */
  readSecretsFile(): string | undefined {
    const file = join(this.project, ".prod.vars");
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  }

  describe(): string {
    return JSON.stringify(describeAccount(this.account, this.service), undefined, 1);
  }

  /** The deployed secrets that are not those of the file. */
  findForeignSecrets(): string[] {
    const file = parseEnv(this.readSecretsFile() ?? "");
    const [script] = this.account.scripts.values();
    const active = script === undefined ? undefined : this.account.findActiveVersion(script);
    return [...(active?.secrets ?? [])]
      .filter(([name, value]) => file[name] !== value)
      .map(([name]) => `${name} is deployed with another value than the file has`);
  }

  /** Where a secret or the login can be read that must not be there. */
  findLeaks(): string[] {
    const values = Object.values(parseEnv(this.readSecretsFile() ?? ""));
    const keys = values
      .flatMap((value) => (value ?? "").split(/[:,]/))
      .filter((part) => part.length > 8);
    const secrets = [...keys, this.account.token, ...this.service.secrets];
    const places: [string, string][] = [["the output", this.#output]];
    if (existsSync(this.#arguments)) {
      places.push(["the arguments of a process", readFileSync(this.#arguments, "utf8")]);
    }
    if (existsSync(this.#logs)) {
      for (const name of readdirSync(this.#logs)) {
        places.push(["a log of wrangler", readFileSync(join(this.#logs, name), "utf8")]);
      }
    }
    return places
      .filter(([, text]) => secrets.some((secret) => text.includes(secret)))
      .map(([place]) => `a secret is in ${place}`);
  }

  async close(): Promise<void> {
    await this.#running?.end("SIGTERM");
    await this.standIn.close();
  }
}

export const nextVersion = "0.2.0";
