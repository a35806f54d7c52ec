/** `edge-idp setup`: from a login to Cloudflare to a working service. A second run changes nothing. */
import type { Command } from "commander";
import { Option } from "commander";
import { deploy } from "../cloudflare/deploy.ts";
import { findDeployedVersion, findMissingTriggers } from "../cloudflare/deployed.ts";
import { computeFingerprint } from "../cloudflare/fingerprint.ts";
import { ensureFirstTenant, tenantFile } from "../cloudflare/first-tenant.ts";
import { ensureKeys } from "../cloudflare/keys.ts";
import { applyMigrations, findAllMissingMigrations } from "../cloudflare/migrations.ts";
import { describePlan, findPlan, type Plan } from "../cloudflare/plan.ts";
import { provision } from "../cloudflare/provision.ts";
import { waitUntilReady } from "../cloudflare/readiness.ts";
import { Steps } from "../cloudflare/steps.ts";
import {
  findTarget,
  listBoundDatabases,
  readSecretsText,
  secretsFile,
  type Target,
  wranglerOptionsOf,
} from "../cloudflare/target.ts";
import { Failure } from "../failure.ts";
import { readSecret } from "../secret-file.ts";

interface SetupOptions {
  readonly name?: string;
  readonly tenant: string;
  readonly jurisdiction?: "eu";
  readonly domain?: string;
  readonly plan?: Plan;
  readonly queues?: boolean;
  readonly archive?: boolean;
  readonly url?: string;
  readonly readyWithin: string;
  readonly dryRun?: boolean;
}

const hostFormat = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function findWholePlan({ login }: Target, steps: Steps, given: Plan | undefined) {
  const plan = given ?? (await findPlan(login.api, login.accountId));
  steps.note("plan", describePlan(plan));
  return plan;
}

async function ensureDeployed(
  target: Target,
  steps: Steps,
  { configuration, text }: Awaited<ReturnType<typeof provision>>,
  deployed: Awaited<ReturnType<typeof findDeployedVersion>>,
): Promise<void> {
  const tag = computeFingerprint(target.project, text, readSecretsText(target.project));
  const subject = `Worker ${target.name}`;
  if (deployed?.tag === tag) {
    const missing = await findMissingTriggers(target.login, configuration);
    if (missing.length === 0) {
      steps.note(subject, "deployed as it is here");
      return;
    }
    steps.note(subject, `lacks ${missing.join(", ")}`);
  }
  await steps.change(subject, "deployed with its secrets", () => deploy(target, tag));
}

function printEnd(publicUrl: string, hasToken: boolean, changes: number): void {
  write(changes === 0 ? "Nothing had to be changed." : "");
  write(`The service runs at ${publicUrl}

Keep these files:
  ${secretsFile.padEnd(19)} the keys, only here. Without SEALING_KEYS every user must enrol again. Copy it to where you
                      keep secrets.
  wrangler.prod.toml  the configuration, without secrets. Commit it to your fork.`);
  if (!hasToken) return;
  write(`  ${tenantFile.padEnd(19)} an API token of the tenant, with all permissions.

The first request:
  . ./${tenantFile}
  curl -s "$IDP_URL/v1/idp/users?limit=1" -H "Authorization: Bearer $IDP_TOKEN"`);
}

async function setUp(options: SetupOptions): Promise<void> {
  const { domain, dryRun: isDryRun = false, jurisdiction } = options;
  if (domain !== undefined && !hostFormat.test(domain)) {
    throw new Failure(`--domain ${domain}: expected a host, such as idp.example.com.`);
  }
  const steps = new Steps({ isDryRun, write });
  const target = await findTarget(steps, options.name);
  const plan = await findWholePlan(target, steps, options.plan);
  const provisioned = await provision(target, steps, {
    domain,
    isFree: plan === "free",
    wantsQueues: options.queues === true,
    wantsArchive: options.archive === true,
    jurisdiction,
  });
  const databases = listBoundDatabases(provisioned.configuration);
  const deployed = await findDeployedVersion(target.login, target.name);
  await ensureKeys(target, steps, deployed, databases);
  const missing = await findAllMissingMigrations(target.login, target.project, databases);
  const isBehind = [...missing.values()].some((names) => names.length > 0);
  if (deployed !== undefined && isBehind) {
    throw new Failure(
      "The service runs, and its databases lack migrations: run edge-idp upgrade, which backs them up first.",
    );
  }
  for (const [database, names] of missing) {
    await applyMigrations(steps, wranglerOptionsOf(target), database, names);
  }
  await ensureDeployed(target, steps, provisioned, deployed);
  if (isDryRun) {
    write("This was a dry run: nothing has changed.");
    return;
  }

  const url = options.url?.replace(/\/+$/, "") ?? provisioned.publicUrl;
  const problem = await waitUntilReady(url, target.version, Number(options.readyWithin));
  if (problem !== undefined) {
    throw new Failure(
      `The service is deployed, and is not ready: ${problem} Run the command again.`,
    );
  }
  steps.note("/readyz", `ready, version ${target.version}`);
  const hasToken = await ensureFirstTenant(
    steps,
    {
      project: target.project,
      publicUrl: provisioned.publicUrl,
      url,
      operatorToken: readSecret(`${target.project}/${secretsFile}`, "OPERATOR_TOKEN"),
      now: Date.now(),
    },
    { name: options.tenant, jurisdiction },
  );
  printEnd(provisioned.publicUrl, hasToken, steps.changes);
}

export function addSetupCommand(program: Command): void {
  program
    .command("setup")
    .summary("set up the service on Cloudflare")
    .description(
      "Makes everything that the service needs in your Cloudflare account, deploys it, and creates the first tenant. " +
        "A second run changes nothing, and a run after an interruption goes on.",
    )
    .option(
      "--name <name>",
      "the name of the Worker, which its resources begin with (default: edge-idp)",
    )
    .option("--tenant <name>", "the name of the first tenant", "First tenant")
    .addOption(
      new Option(
        "--jurisdiction <code>",
        "where new databases, the bucket and the first tenant's objects stay",
      ).choices(["eu"]),
    )
    .option(
      "--domain <host>",
      "a host of a zone in the account (default: an address of workers.dev)",
    )
    .addOption(
      new Option("--plan <plan>", "the Workers plan (default: as the account says)").choices([
        "paid",
        "free",
      ]),
    )
    .option("--queues", "file deliveries through a queue (docs/scale.md says when)")
    .option("--archive", "keep old audit events in an R2 bucket")
    .option("--url <url>", "the address at which this machine reaches the service")
    .option("--ready-within <seconds>", "how long to wait for /readyz", "180")
    .option("--dry-run", "show the steps and change nothing")
    .action((options: SetupOptions) => setUp(options));
}
