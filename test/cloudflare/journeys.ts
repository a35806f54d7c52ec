/** What operators live through with `edge-idp setup` and `edge-idp upgrade`. Each journey returns its problems. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nextVersion, type Operator, type RunOptions, type RunResult } from "./operator.ts";
import type { FailureKind, RequestKey } from "./stand-in.ts";

/** A chain of failures ends long before. */
const maxRuns = 250;
const privateMode = 0o600;
const maxShownLines = 20;

type Run = (options?: RunOptions) => Promise<RunResult>;

function requireSuccess(what: string, { code, output }: RunResult): string[] {
  return code === 0 ? [] : [`${what} ended with ${code}:\n${output}`];
}

/** A run that has nothing to do sends no request that changes anything, and says so. */
async function requireNoChange(what: string, run: Run): Promise<string[]> {
  const result = await run();
  const writing = result.requests.filter(({ writes }) => writes).map(({ name }) => name);
  return [
    ...requireSuccess(what, result),
    ...writing.map((name) => `${what} sent ${name}`),
    ...(result.output.includes("Nothing had to be changed.")
      ? []
      : [`${what} does not say that nothing changed`]),
  ];
}

/** What a journey has shown. */
export interface Journey {
  readonly problems: readonly string[];
  /** The requests of the run that did the work. */
  readonly keys: readonly RequestKey[];
}

const keysOf = ({ requests }: RunResult) => requests.map(({ key }) => key);

/** The lines that only one of two descriptions has. */
function compareLines(found: string, wanted: string): string[] {
  if (found === wanted) return [];
  const [ours, theirs] = [found.split("\n"), wanted.split("\n")];
  const surplus = ours.filter((line) => !theirs.includes(line)).map((line) => `+${line}`);
  const missing = theirs.filter((line) => !ours.includes(line)).map((line) => `-${line}`);
  return [["the account differs:", ...surplus, ...missing].slice(0, maxShownLines).join("\n")];
}

/** The account is the wanted one, and the secrets have one source. */
export function compareEnds(operator: Operator, wanted: string): string[] {
  return [
    ...compareLines(operator.describe(), wanted),
    ...operator.findForeignSecrets(),
    ...operator.findLeaks(),
    ...operator.standIn.unknown.map((name) => `the stand-in does not know ${name}`),
  ];
}

/** The first run sets up everything, and the second changes nothing. */
export async function setUpOnce(operator: Operator): Promise<Journey> {
  const before = operator.describe();
  const dryRun = await operator.setup(["--dry-run"]);
  const isUntouched = operator.describe() === before && operator.readSecretsFile() === undefined;
  const first = await operator.setup();
  const { mode } = statSync(join(operator.project, ".prod.vars"));
  const tenant = statSync(join(operator.project, ".prod.env"));
  const problems = [
    ...requireSuccess("the dry run", dryRun),
    ...(isUntouched ? [] : ["the dry run changed something"]),
    ...requireSuccess("setup", first),
    ...((mode & 0o777) === privateMode ? [] : [`.prod.vars has the mode ${mode.toString(8)}`]),
    ...((tenant.mode & 0o777) === privateMode ? [] : ["others can read .prod.env"]),
    ...(await requireNoChange("a second setup", () => operator.setup())),
    ...(await requireNoChange("an upgrade to the same version", () => operator.upgrade())),
  ];
  return { problems, keys: keysOf(first) };
}

/** Without the file of secrets, `setup` stops and makes no new keys. */
export async function loseSecrets(operator: Operator): Promise<string[]> {
  const file = join(operator.project, ".prod.vars");
  const text = readFileSync(file, "utf8");
  rmSync(file);
  const { code, output, requests } = await operator.setup();
  const wasMade = existsSync(file);
  writeFileSync(file, text, { mode: privateMode });
  return [
    ...(code === 1 && output.includes("SEALING_KEYS") ? [] : [`setup without its keys: ${output}`]),
    ...(wasMade ? ["setup made new keys for a service that has keys"] : []),
    ...(requests.some(({ writes }) => writes) ? ["setup changed something without its keys"] : []),
  ];
}

/** An account without a subdomain of workers.dev needs a domain, and a later run keeps it. */
export async function setUpDomain(operator: Operator): Promise<string[]> {
  const without = await operator.setup();
  const isUntouched = without.requests.every(({ writes }) => !writes);
  const taken = await operator.setup(["--domain", "taken.example.com"]);
  const first = await operator.setup(["--domain", "idp.example.com"]);
  return [
    ...(taken.code === 1 && taken.output.includes("DNS record")
      ? []
      : [`setup at a host with a DNS record: ${taken.output}`]),
    ...(taken.requests.some(({ writes }) => writes) ? ["it changed something"] : []),
    ...(without.code === 1 && isUntouched && without.output.includes("--domain")
      ? []
      : [`setup without an address: ${without.output}`]),
    ...requireSuccess("setup with a domain", first),
    ...(first.output.includes("https://idp.example.com") ? [] : ["setup does not show the domain"]),
    ...(await requireNoChange("a second setup", () => operator.setup())),
    ...(operator.account.domains.get("idp.example.com") === "edge-idp"
      ? []
      : ["no domain was set"]),
  ];
}

/** The backup is whole, and no other user can read it. */
function checkBackups(operator: Operator): string[] {
  if (!existsSync(operator.backups)) return ["there is no backup"];
  const folders = readdirSync(operator.backups).filter((name) => !name.endsWith(".part"));
  if (folders.length !== 1) return [`there are ${folders.length} backups`];
  const folder = join(operator.backups, folders[0] ?? "");
  const problems: string[] = [];
  for (const name of ["DB.sql", "bookmarks.json", "manifest.json"]) {
    const file = join(folder, name);
    if ((statSync(file).mode & 0o777) !== privateMode) problems.push(`others can read ${name}`);
  }
  const sql = readFileSync(join(folder, "DB.sql"), "utf8");
  if (!sql.includes("0009_destinations.sql")) problems.push("the backup lacks rows");
  if (sql.includes("additions")) problems.push("the backup is from after the migrations");
  return problems;
}

/** An upgrade backs up, migrates, and deploys; the next one has nothing to do. */
export async function upgradeOnce(operator: Operator): Promise<Journey> {
  const early = await operator.setup();
  const first = await operator.upgrade();
  const problems = [
    ...(early.code === 1 && early.output.includes("edge-idp upgrade")
      ? []
      : [`setup in place of an upgrade: ${early.output}`]),
    ...requireSuccess("the upgrade", first),
    ...(first.output.includes(`version ${nextVersion}`)
      ? []
      : ["the upgrade does not name its version"]),
    ...checkBackups(operator),
    ...(await requireNoChange("a second upgrade", () => operator.upgrade())),
  ];
  return { problems, keys: keysOf(first) };
}

/** What is failed in turn. */
export interface InTurn {
  /** An operator before the command. */
  readonly begin: () => Promise<Operator>;
  readonly run: (operator: Operator, options: RunOptions) => Promise<RunResult>;
  readonly kindOf: (key: RequestKey, count: number) => FailureKind;
  /** Whether the failure of this number may be one without an answer, so that the run needs short limits. */
  readonly mayHang: (count: number) => boolean;
  /** The problems of an operator who is done. */
  readonly check: (operator: Operator) => string[];
  /** 1: each request fails once; 4: every fourth one. */
  readonly every: number;
}

/** The result of the failures in turn. */
export interface Failures {
  readonly problems: readonly string[];
  readonly count: number;
}

/**
 * Fails at each request in turn, once for each request that has not failed yet, and runs the command again after each
 * failure. When the command completes, which it may despite a failure, another operator begins with the rest. It ends when
 * the first run of an operator meets no request that is new.
 */
export async function failInTurn({
  begin,
  run,
  kindOf,
  mayHang,
  check,
  every,
}: InTurn): Promise<Failures> {
  const met = new Set<RequestKey>();
  let count = 0;
  const problems: string[] = [];
  let operator = await begin();
  let keys = operator.readSecretsFile();
  let isFirst = true;
  let isPatient = false;
  for (let runs = 0; runs < maxRuns; runs += 1) {
    let chosen: RequestKey | undefined;
    const result = await run(operator, {
      expectsHang: mayHang(count + 1) && !isPatient,
      choose: (key) => {
        if (met.has(key)) return undefined;
        met.add(key);
        if (met.size % every !== 0) return undefined;
        chosen = key;
        count += 1;
        return kindOf(key, count);
      },
    });
    // On a slow machine a short limit ends a run before it meets a new request.
    const isTooShort: boolean = chosen === undefined && result.code !== 0 && !isPatient;
    isPatient = isTooShort;
    if (isTooShort) continue;
    const present = operator.readSecretsFile();
    if (keys !== undefined && present !== keys) problems.push("the keys have changed");
    keys = present;
    if (result.output.includes("\n    at ")) {
      problems.push(`a stack after the failure of ${chosen}: ${result.output}`);
    }
    if (chosen === undefined) problems.push(...requireSuccess("a run without a failure", result));
    const isDone = chosen === undefined || result.code === 0;
    if (isDone) problems.push(...check(operator));
    if (chosen === undefined && isFirst) return { problems, count };
    isFirst = isDone;
    if (isDone) {
      operator = await begin();
      keys = operator.readSecretsFile();
    }
  }
  return { problems: [...problems, `no end after ${maxRuns} runs`], count };
}

/** One failure at one request; the run after it completes. */
export async function failOnce(run: Run, wanted: RequestKey, kind: FailureKind): Promise<string[]> {
  let wasMet = false;
  const first = await run({
    expectsHang: kind === "hang",
    choose: (key) => {
      if (key !== wanted) return undefined;
      wasMet = true;
      return kind;
    },
  });
  const second = await run();
  return [
    ...(wasMet ? [] : [`${wanted} was not sent: ${first.output}`]),
    ...requireSuccess("the run after the failure", second),
  ];
}

/** A new version that is not ready: the version before answers again. */
export async function upgradeToBroken(operator: Operator): Promise<string[]> {
  operator.service.isBroken = (version) => version === nextVersion;
  const rollback: RequestKey = "POST /accounts/:account/workers/scripts/:script/deployments #1";
  const interrupted = await operator.upgrade([], {
    choose: (key) => (key === rollback ? "500" : undefined),
  });
  const isStillNew = operator.describe().includes(`Edge IDP ${nextVersion}`);
  const { code, output } = await operator.upgrade();
  const isOld = !operator.describe().includes(`Edge IDP ${nextVersion}`);
  operator.service.isBroken = () => false;
  const corrected = await operator.upgrade();
  return [
    ...(interrupted.code === 1 && isStillNew
      ? []
      : [`no failure of the rollback: ${interrupted.output}`]),
    ...(code === 1 && isOld ? [] : [`no rollback: ${output}`]),
    ...(output.includes("The rollback does not undo migrations")
      ? []
      : [`it does not say what remains: ${output}`]),
    ...requireSuccess("the upgrade after the correction", corrected),
  ];
}
