/** `edge-idp users import`: imports users with their secrets from an export of another system. */
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { EdgeIdp, IdpError } from "@edge-idp/sdk";
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseApiToken } from "../../../../../src/tenancy/api-token.ts";
import { Failure } from "../../failure.ts";
import { countEntries, noCounts } from "../../import/counts.ts";
import { Display, showSummary } from "../../import/display.ts";
import type { Form } from "../../import/entry.ts";
import { readIdMap } from "../../import/external-id-map.ts";
import { forms } from "../../import/forms.ts";
import { importUsers } from "../../import/import-users.ts";
import { Journal } from "../../import/journal.ts";
import { showWhole } from "../../import/progress-bar.ts";
import { ReportFile } from "../../import/report.ts";
import { createSendRows } from "../../import/send-rows.ts";
import { openSource, reading, type SourceSettings } from "../../import/source.ts";
import { SourceFile } from "../../import/source-file.ts";
import { survey } from "../../import/survey.ts";
import { printLine, showProgress } from "../../progress.ts";
import { addTenantOptions, findTenantService, type Service } from "../../service.ts";

const defaultConcurrency = 4;
const maxConcurrency = 16;

interface Options {
  readonly from: string;
  readonly externalId?: string;
  readonly map?: string;
  readonly dryRun?: boolean;
  readonly onExisting: "skip" | "add";
  readonly journal?: string;
  readonly report?: string;
  readonly concurrency: number;
}

function parseConcurrency(text: string): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= 1 && value <= maxConcurrency) return value;
  throw new InvalidArgumentError(`Expected a number from 1 to ${maxConcurrency}.`);
}

function findForm({ from, externalId }: Options): {
  readonly form: Form;
  readonly idField: string;
} {
  const form = forms.find(({ name }) => name === from);
  if (form === undefined) throw new Failure(`There is no form ${from}.`);
  const idField = externalId ?? form.idFields[0];
  if (form.idFields.includes(idField)) return { form, idField };
  throw new Failure(`--external-id of ${from} is one of: ${form.idFields.join(", ")}.`);
}

function tenantOf({ token }: Service): string {
  const tenant = parseApiToken(token)?.tenantId;
  if (tenant !== undefined) return tenant;
  throw new Failure("The token is no API token of a tenant.");
}

async function openMap(path: string | undefined) {
  if (path === undefined) return undefined;
  const map = await reading(path, () => readIdMap(new SourceFile(path).read()));
  return { map, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

/** Aborted by the first Ctrl-C; a second one ends the process at once. */
function watchSignals(): AbortSignal {
  const ended = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      printLine("Ending after the calls that are under way.");
      ended.abort();
    });
  }
  return ended.signal;
}

interface Prepared {
  readonly source: SourceSettings;
  readonly entries: number;
  /** Undefined in a dry run. */
  readonly journal: Journal | undefined;
}

/** Reads the whole file, and opens the journal. @throws Failure if the file cannot be used */
async function prepare(path: string, options: Options, service: Service): Promise<Prepared> {
  const { form, idField } = findForm(options);
  const tenant = tenantOf(service);
  const map = await openMap(options.map);
  const source = { path, form, idField, map: map?.map };
  const { file, entries } = openSource(source);
  const found = await reading(path, () =>
    survey(entries, (count) => showProgress(`${showWhole(count)} entries read`)),
  );
  showProgress("");
  const subject = {
    ...{ sha256: file.takeDigest(), tenant, url: service.url, from: form.name },
    ...{ external_id: idField, map: map?.sha256 ?? null, on_existing: options.onExisting },
  };
  const journal =
    options.dryRun === true
      ? undefined
      : new Journal(options.journal ?? `${path}.journal`, subject, randomUUID());
  return { source, entries: found, journal };
}

/** Sends what is not done yet. @returns the exit code */
async function send(prepared: Prepared, options: Options, service: Service): Promise<number> {
  const { source, entries, journal } = prepared;
  const isDryRun = journal === undefined;
  const reportPath = options.report === undefined ? undefined : resolve(options.report);
  const report =
    reportPath === undefined
      ? undefined
      : new ReportFile(reportPath, journal?.reportBytesOf(reportPath) ?? 0);
  const before = journal?.counts ?? noCounts;
  const display = new Display({ isDryRun, report, total: entries, before });
  const idp = new EdgeIdp({ url: service.url, token: service.token });
  const onWait = (seconds: number) =>
    printLine(`The service is busy or out of reach; trying again in ${seconds} s.`);
  const settings = { onExisting: options.onExisting, isDryRun };
  try {
    const isDone = await reading(source.path, () =>
      importUsers({
        entries: openSource(source).entries,
        send: createSendRows(idp, settings, onWait),
        journal,
        // A dry run prints users in the order of the file.
        concurrency: isDryRun ? 1 : options.concurrency,
        signal: watchSignals(),
        onDone: (reported) => {
          display.add(reported);
          return { path: report?.path ?? null, bytes: report?.bytes ?? 0 };
        },
      }),
    );
    if (isDone) journal?.recordEnd();
    showProgress("");
    process.stdout.write(showSummary(display.counts, isDryRun));
    if (!isDone) printLine("The import ended early; repeat the command to go on.");
    const { failed, refused } = display.counts;
    return isDone && failed + refused === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof IdpError)) throw error;
    const goOn = isDryRun ? "" : "\nWhat was imported stays; repeat the command to go on.";
    throw new Failure(`${error.message}${goOn}`);
  } finally {
    report?.close();
  }
}

async function runImport(path: string, options: Options, service: Service): Promise<void> {
  const prepared = await prepare(path, options, service);
  const { journal } = prepared;
  try {
    if (journal?.isDone) {
      printLine(`The import is complete, as ${journal.path} says.`);
      process.stdout.write(showSummary(journal.counts, false));
      return;
    }
    if (journal?.isResumed) {
      printLine(`Going on after ${showWhole(countEntries(journal.counts))} entries.`);
    }
    process.exitCode = await send(prepared, options, service);
  } finally {
    journal?.close();
  }
}

export function addImportCommand(users: Command): void {
  const command = users
    .command("import")
    .argument("<file>", "the export of the other system")
    .summary("import users with their secrets from another system")
    .description(
      "Imports users with their TOTP secrets and backup codes. An import that was interrupted goes on when the command is repeated. docs/import.md says how to get each export, and what comes along.",
    )
    .addOption(
      new Option("--from <form>", "the system that the file comes from")
        .choices(forms.map(({ name }) => name))
        .makeOptionMandatory(),
    )
    .option("--external-id <field>", "the field that becomes the external_id")
    .option("--map <file>", "a CSV with the columns id and external_id, which replaces ids")
    .option("--dry-run", "say of each user what would become of it, and change nothing")
    .addOption(
      new Option("--on-existing <what>", "what becomes of users who exist")
        .choices(["skip", "add"])
        .default("skip"),
    )
    .option("--journal <file>", "where to note what is done (default: FILE.journal)")
    .option("--report <file>", "a file to write, with a line of JSON for each user")
    .option(
      "--concurrency <n>",
      "how many calls run at once, each with 100 users",
      parseConcurrency,
      defaultConcurrency,
    );
  addTenantOptions(command).action(async (file: string, options: Options) => {
    await runImport(file, options, findTenantService(command));
  });
}
