/** One bash session in which a reader's commands run, one block after the other. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProcessGroup } from "./process-group.ts";

/** Printed on both streams after each block. No answer contains it. */
const separator = "\u001e";

export interface BlockResult {
  /** False when a command failed; the session has then ended. */
  readonly ok: boolean;
  readonly output: string;
  readonly errors: string;
}

export class Shell {
  readonly #bash: ProcessGroup;
  readonly #scripts: string;
  #count = 0;

  /** The blocks run in `cwd`; `scripts` is a directory for their files. */
  constructor(cwd: string, scripts: string) {
    this.#scripts = scripts;
    this.#bash = new ProcessGroup("bash", ["--noprofile", "--norc"], cwd);
    this.#bash.write("set -eu\n");
  }

  async run(commands: string): Promise<BlockResult> {
    const bash = this.#bash;
    this.#count += 1;
    const file = join(this.#scripts, `block-${this.#count}.sh`);
    writeFileSync(file, `${commands}\n`);
    bash.output = "";
    bash.errors = "";
    bash.write(`. '${file}' </dev/null\nprintf '${separator}'; printf '${separator}' >&2\n`);
    const ok = await bash.until(
      () => bash.output.endsWith(separator) && bash.errors.endsWith(separator),
    );
    return {
      ok,
      output: bash.output.replace(separator, ""),
      errors: bash.errors.replace(separator, ""),
    };
  }

  async close(): Promise<void> {
    await this.#bash.end("SIGTERM");
  }
}
