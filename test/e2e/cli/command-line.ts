/** Runs `edge-idp`, and checks exit codes and both outputs. */
import { entryOf, type StartOptions, startEdgeIdp, unsetInShell } from "../edge-idp.ts";
import { ProcessGroup } from "../process-group.ts";
import type { Report } from "../report.ts";

export interface Expected {
  readonly code: number;
  /** Standard output; without it, nothing is printed there. */
  readonly output?: RegExp;
  /** Standard error; without it, nothing is printed there. */
  readonly errors?: RegExp;
}

interface RunOptions extends StartOptions {
  readonly input?: string;
}

function matches(text: string, pattern: RegExp | undefined): boolean {
  return pattern === undefined ? text.trim() === "" : pattern.test(text);
}

export class CommandLine {
  readonly #report: Report;
  readonly #project: string;
  readonly #started: ProcessGroup[] = [];

  /** @param project the folder in which commands run, unless they name another */
  constructor(report: Report, project: string) {
    this.#report = report;
    this.#project = project;
  }

  /** Everything that the commands have printed. */
  get printed(): string {
    return this.#started.map(({ output, errors }) => output + errors).join("\n");
  }

  start(args: readonly string[], options: RunOptions = {}): ProcessGroup {
    return this.#track(startEdgeIdp(this.#project, args, options));
  }

  /** Starts a pipe of commands in bash, in which `$edge_idp` is the command. */
  startInShell(script: string): ProcessGroup {
    const entry = entryOf(this.#project);
    const program = `${unsetInShell}; edge_idp="$1 $2"; ${script}`;
    return this.#track(
      new ProcessGroup("bash", ["-c", program, "bash", process.execPath, entry], this.#project),
    );
  }

  /** Runs the command to its end, and reports whether it did what is expected. @returns its standard output */
  async check(
    title: string,
    args: readonly string[],
    expected: Expected,
    options: RunOptions = {},
  ): Promise<string> {
    const group = this.start(args, options);
    group.endInput(options.input);
    const code = await group.ended;
    const { output, errors } = group;
    const isRight =
      code === expected.code &&
      matches(output, expected.output) &&
      matches(errors, expected.errors);
    const hasStack = /^\s+at .*:\d+:\d+\)?$/m.test(errors);
    this.#report.add(title, [
      ...(isRight ? [] : [`edge-idp ${args.join(" ")} exits with ${code}:\n${output}${errors}`]),
      ...(hasStack ? [`a stack:\n${errors}`] : []),
    ]);
    return output;
  }

  /** Ends every command that still runs. */
  async close(): Promise<void> {
    await Promise.all(this.#started.map((group) => group.end("SIGKILL")));
  }

  #track(group: ProcessGroup): ProcessGroup {
    this.#started.push(group);
    return group;
  }
}
