/**
 * `npm run check:samples`: runs each sample of packages/reference/samples against answers from docs/openapi.json, and
 * fails unless it calls the operation that it is named after and prints only what the answer has. The compiler checks
 * what it passes, but lets it read any field, because answers may get further ones.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");

const examples = z.record(z.string(), z.object({ example: z.unknown().optional() }));
const operation = z.object({
  operationId: z.string(),
  tags: z.array(z.string()),
  responses: z.record(z.string(), z.object({ content: examples.optional() })),
});
const openApi = z.object({ paths: z.record(z.string(), z.record(z.string(), operation)) });

interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: RegExp;
  readonly answer: () => Response;
}

/** The first success, as the document shows it, and as the last page of a list. */
function createAnswer({ responses }: z.infer<typeof operation>): Response {
  const [status = "", success] =
    Object.entries(responses).find(([code]) => code.startsWith("2")) ?? [];
  const [content] = Object.values(success?.content ?? {});
  const example = content?.example;
  const text = typeof example === "string" ? example : JSON.stringify(example);
  const lastPage = text?.replace('"has_more":true', '"has_more":false') ?? null;
  return new Response(lastPage, { status: Number(status) });
}

function readOperations(): Operation[] {
  const text = readFileSync(join(root, "docs", "openapi.json"), "utf8");
  const { paths } = openApi.parse(JSON.parse(text));
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, { tags }]) => !tags.includes("Documentation"))
      .map(([method, one]) => ({
        name: one.operationId,
        method: method.toUpperCase(),
        path: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
        answer: () => createAnswer(one),
      })),
  );
}

/** Runs a sample. @returns what is wrong with it */
async function runSample(name: string, operations: readonly Operation[]): Promise<string[]> {
  const called = new Set<string>();
  const printed: unknown[] = [];
  console.log = (...values) => void printed.push(...values);
  globalThis.fetch = async (input, init) => {
    const { method, url } = new Request(input, init);
    const { pathname } = new URL(url);
    const found = operations.find((one) => one.method === method && one.path.test(pathname));
    if (found === undefined) throw new Error(`${method} ${pathname} is no operation`);
    called.add(found.name);
    return found.answer();
  };
  await import(join(root, "packages", "reference", "samples", `${name}.ts`));
  return [
    ...(called.has(name) ? [] : [`it calls ${[...called].join(", ") || "nothing"} instead`]),
    ...(printed.includes(undefined) ? ["it prints a field that the answer does not have"] : []),
  ];
}

async function main(): Promise<number> {
  const operations = readOperations();
  const problems: string[] = [];
  Object.assign(process.env, { IDP_TOKEN: "token", OPERATOR_TOKEN: "token" });
  for (const { name } of operations) {
    try {
      const found = await runSample(name, operations);
      problems.push(...found.map((problem) => `${name}: ${problem}`));
    } catch (error) {
      problems.push(`${name}: ${error}`);
    }
  }
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`${operations.length} samples, ${problems.length} problems\n`);
  return problems.length === 0 ? 0 : 1;
}

await runScript(main);
