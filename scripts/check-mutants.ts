/**
 * `npm run check:mutants`: changes the source in small ways, one at a time, and expects a test to fail each time.
 * A mutant that survives shows a missing test, or behaves like the original. scripts/mutants-explained.json
 * explains the latter, and they are not run.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { Failure } from "../packages/cli/src/failure.ts";
import { type Target, targets } from "./support/mutant-targets.ts";
import { MutantWorkplace, type Verdict } from "./support/mutant-workplace.ts";
import { findMutants, type Mutant } from "./support/mutations.ts";
import { runScript } from "./support/run-script.ts";

const helpText = `Change the source in small ways, and check that tests notice.

  npm run check:mutants -- [--file PART] [--only PART] [--workers N] [--fresh] [--list]

--file PART   only source files whose path contains PART
--only PART   only mutants whose id contains PART
--workers N   workers, each in its own copy under .mutants/ (default 2)
--fresh       delete earlier results; otherwise mutants that were killed before do not run again
--list        print the mutants, and run nothing

Exits with 0 if scripts/mutants-explained.json explains every survivor and no other mutant, otherwise with 1.
`;

const folder = ".mutants";
const resultsFile = `${folder}/results.jsonl`;
const survivorsFile = `${folder}/survivors.json`;
const explainedFile = "scripts/mutants-explained.json";

/** Why a mutant behaves like the original, by its id. */
const explainedSchema = z.record(z.string(), z.string().min(1));
const resultSchema = z.object({
  id: z.string(),
  verdict: z.enum(["killed", "timed out", "survived"]),
  by: z.string(),
});
type Result = z.output<typeof resultSchema>;

interface Task {
  readonly mutant: Mutant;
  readonly target: Target;
}

function readResults(): Map<string, Result> {
  if (!existsSync(resultsFile)) return new Map();
  const lines = readFileSync(resultsFile, "utf8").split("\n");
  const results = lines.filter((line) => line !== "").map((line) => JSON.parse(line));
  return new Map(results.map((result) => [result.id, resultSchema.parse(result)]));
}

function findTasks(filePart: string, idPart: string): Task[] {
  return targets
    .filter(({ file }) => file.includes(filePart))
    .flatMap((target) =>
      findMutants(target.file, readFileSync(target.file, "utf8"))
        .filter(({ id }) => id.includes(idPart))
        .map((mutant) => ({ mutant, target })),
    );
}

/** Reads the explanations. @throws Failure if one names a mutant that does not exist */
function readExplained(): z.output<typeof explainedSchema> {
  const explained = explainedSchema.parse(JSON.parse(readFileSync(explainedFile, "utf8")));
  const ids = new Set(findTasks("", "").map(({ mutant }) => mutant.id));
  const stale = Object.keys(explained).filter((id) => !ids.has(id));
  if (stale.length === 0) return explained;
  throw new Failure(`${explainedFile} explains mutants that do not exist:\n${stale.join("\n")}`);
}

/** Takes tasks until none is left. The unchanged source must pass first, or a failure proves nothing. */
async function runTasks(
  workplace: MutantWorkplace,
  tasks: Task[],
  report: (task: Task, verdict: Verdict, by: string) => void,
): Promise<void> {
  const passed = new Set<Target>();
  try {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      const { mutant, target } = task;
      if (!passed.has(target)) {
        const text = readFileSync(target.file, "utf8");
        const { verdict, by } = await workplace.evaluate(target, text);
        if (verdict !== "survived") throw new Failure(`Unchanged ${target.file}: ${verdict} ${by}`);
        passed.add(target);
      }
      const { verdict, by } = await workplace.evaluate(target, mutant.text);
      report(task, verdict, by);
    }
  } finally {
    workplace.close();
  }
}

function formatTable(
  results: readonly { readonly file: string; readonly column: string }[],
): string {
  const columns = ["killed", "timed out", "explained", "survived"];
  const files = [...new Set(results.map(({ file }) => file))];
  const row = (name: string, of: typeof results) => {
    const counts = columns.map((column) => of.filter((result) => result.column === column).length);
    return [name.padEnd(32), ...counts.map((count) => String(count).padStart(10))].join("");
  };
  return [
    ["".padEnd(32), ...columns.map((column) => column.padStart(10))].join(""),
    ...files.map((file) =>
      row(
        file,
        results.filter((result) => result.file === file),
      ),
    ),
    row("all", results),
  ].join("\n");
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      file: { type: "string", default: "" },
      only: { type: "string", default: "" },
      workers: { type: "string", default: "2" },
      fresh: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const explained = readExplained();
  const tasks = findTasks(values.file, values.only);
  if (tasks.length === 0) throw new Failure("No mutant matches; see --list.");
  if (values.list) {
    process.stdout.write(tasks.map(({ mutant }) => `${mutant.line}\t${mutant.id}\n`).join(""));
    return 0;
  }
  mkdirSync(folder, { recursive: true });
  if (values.fresh) writeFileSync(resultsFile, "");
  const results = readResults();
  const open = tasks.filter(
    ({ mutant: { id } }) =>
      explained[id] === undefined && (results.get(id)?.verdict ?? "survived") === "survived",
  );
  process.stdout.write(`${tasks.length} mutants, ${open.length} of them to run.\n`);
  let done = 0;
  const all = open.length;
  const report = ({ mutant }: Task, verdict: Verdict, by: string) => {
    const result = { id: mutant.id, verdict, by };
    results.set(mutant.id, result);
    appendFileSync(resultsFile, `${JSON.stringify(result)}\n`);
    done += 1;
    process.stdout.write(`${done}/${all} ${verdict} ${mutant.line} ${mutant.id} ${by}\n`);
  };
  const workers = Math.min(Number(values.workers) || 1, Math.max(open.length, 1));
  await Promise.all(
    Array.from({ length: workers }, (_, n) =>
      runTasks(new MutantWorkplace(`${folder}/copy-${process.pid}-${n + 1}`), open, report),
    ),
  );
  const columnOf = (id: string) =>
    explained[id] === undefined ? (results.get(id)?.verdict ?? "survived") : "explained";
  const survivors = tasks
    .filter(({ mutant: { id } }) => columnOf(id) === "survived" || columnOf(id) === "explained")
    .map(({ mutant: { id, file, line } }) => ({ id, file, line, reason: explained[id] ?? null }));
  writeFileSync(survivorsFile, `${JSON.stringify(survivors, null, 2)}\n`);
  const rows = tasks.map(({ mutant: { file, id } }) => ({ file, column: columnOf(id) }));
  process.stdout.write(`\n${formatTable(rows)}\n\n`);
  const unexplained = survivors.filter(({ reason }) => reason === null);
  for (const { file, line, id } of unexplained) {
    process.stdout.write(`survived ${file}:${line}${id.slice(file.length)}\n`);
  }
  return unexplained.length === 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
await runScript(main);
