/** A copy of a client's folder, in which its generator runs, and its journeys. */
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProcessGroup } from "../e2e/process-group.ts";
import type { Client, Command } from "./client.ts";

export interface Result {
  readonly isSuccess: boolean;
  readonly output: string;
  readonly errors: string;
}

export class Workplace {
  readonly #folder: string;
  readonly #started: ProcessGroup[] = [];

  /** @param scratch a new folder, in which the copy gets the generator's name */
  constructor(root: string, client: Client, document: string, scratch: string) {
    this.#folder = join(scratch, client.name.replaceAll(/\W+/g, "-"));
    cpSync(join(root, "test/clients", client.folder), this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, "openapi.json"), document);
  }

  async run(
    [program, ...args]: Command,
    environment: Record<string, string> = {},
  ): Promise<Result> {
    const group = new ProcessGroup(program, args, this.#folder, environment);
    this.#started.push(group);
    const code = await group.ended;
    return { isSuccess: code === 0, output: group.output, errors: group.errors };
  }

  /** Runs the commands one after the other, to the first that fails. @returns what that one printed */
  async runAll(commands: readonly Command[]): Promise<string[]> {
    for (const command of commands) {
      const { isSuccess, output, errors } = await this.run(command);
      if (!isSuccess) return [`${command.join(" ")} failed:`, output, errors];
    }
    return [];
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((group) => group.end("SIGTERM")));
  }
}
