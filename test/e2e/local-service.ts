/** The real service, started with `npm run dev` in a copy of the project. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { findFreePort } from "../../scripts/support/port.ts";
import { ProcessGroup } from "./process-group.ts";
import type { ProjectCopy } from "./project-copy.ts";

export class LocalService {
  readonly url: string;
  readonly #project: string;
  readonly #process: ProcessGroup;

  private constructor(project: string, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#project = project;
    this.#process = new ProcessGroup("npm", ["run", "dev", "--", "--port", String(port)], project);
  }

  /** @param port of the service that it replaces; a free one by default */
  static async create({ project }: ProjectCopy, port?: number): Promise<LocalService> {
    return new LocalService(project, port ?? (await findFreePort()));
  }

  /** Waits until the service is ready. @throws Error with its output if it ends before */
  async waitUntilReady(): Promise<void> {
    const isReady = await this.#process.until(() =>
      this.#process.output.includes("Ctrl-C stops it"),
    );
    if (!isReady) throw new Error(this.#process.output + this.#process.errors);
  }

  get operatorToken(): string {
    return this.#readSecret(".dev.vars", "OPERATOR_TOKEN");
  }

  /** The API token of the demo tenant, with all permissions but `idp:export`. */
  get demoToken(): string {
    return this.#readSecret(join(".dev", "demo.env"), "IDP_TOKEN");
  }

  async close(): Promise<void> {
    await this.#process.end("SIGINT");
  }

  #readSecret(file: string, name: string): string {
    const { [name]: value } = parseEnv(readFileSync(join(this.#project, file), "utf8"));
    if (!value) throw new Error(`${file} has no ${name}`);
    return value;
  }
}
