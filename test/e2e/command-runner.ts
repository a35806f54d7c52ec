/** Runs the command `edge-idp` in a copy of the project, and reports what it prints. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Finished, finish, startEdgeIdp } from "./edge-idp.ts";
import type { ProcessGroup } from "./process-group.ts";
import type { ProjectCopy } from "./project-copy.ts";
import type { Report } from "./report.ts";

export class CommandRunner {
  readonly report: Report;
  readonly copy: ProjectCopy;
  readonly #running = new Set<ProcessGroup>();

  constructor(report: Report, copy: ProjectCopy) {
    this.report = report;
    this.copy = copy;
  }

  async run(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Finished> {
    const group = startEdgeIdp(this.copy.project, args, { environment });
    this.#running.add(group);
    const finished = await finish(group);
    this.#running.delete(group);
    return finished;
  }

  /** Runs the command, and expects its exit code and parts of what it prints. */
  async expect(
    title: string,
    args: readonly string[],
    code: number,
    parts: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Finished> {
    const result = await this.run(args, environment);
    const shown = result.output + result.errors;
    const missing = parts.filter((part) => !shown.includes(part));
    this.report.add(title, [
      ...(result.code === code ? [] : [`exit code ${result.code}, not ${code}\n${shown}`]),
      ...missing.map((part) => `it does not print "${part}":\n${shown}`),
    ]);
    return result;
  }

  /** The secrets of the service, with another version of the sealing key alone. */
  writeOtherSecrets(): string {
    const text = readFileSync(join(this.copy.project, ".dev.vars"), "utf8");
    const key = createHash("sha256").update("another key").digest("base64");
    const file = join(this.copy.scratch, "other.vars");
    writeFileSync(file, text.replace(/^SEALING_KEYS=.*$/m, `SEALING_KEYS=2:${key}`), {
      mode: 0o600,
    });
    return file;
  }

  /** Ends every process that still runs. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((one) => one.end("SIGTERM")));
  }
}
