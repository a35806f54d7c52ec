/** The commands that a check runs in a folder of its own. None of them outlives the check. */
import { ProcessGroup } from "./process-group.ts";

interface CommandOptions {
  /** Variables besides those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Exit codes that are no failure. */
  readonly allowed?: readonly number[];
}

export class Commands {
  readonly #folder: string;
  readonly #started: ProcessGroup[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a command, which runs until the check ends, or it does. */
  start(program: string, args: readonly string[], options: CommandOptions = {}): ProcessGroup {
    const group = new ProcessGroup(program, args, this.#folder, options.environment);
    this.#started.push(group);
    return group;
  }

  /** @returns the output @throws Error with the output if the command fails */
  async run(
    program: string,
    args: readonly string[],
    options: CommandOptions = {},
  ): Promise<string> {
    const { allowed = [0] } = options;
    const group = this.start(program, args, options);
    const code = await group.ended;
    if (code !== null && allowed.includes(code)) return group.output;
    throw new Error(`${program} ${args.join(" ")} failed: ${group.output}${group.errors}`);
  }

  /** Installs the packages of the folder's requirements.txt into its `venv`. */
  async installPythonPackages(): Promise<void> {
    await this.run("python3", ["-m", "venv", "venv"]);
    const options = ["--quiet", "--require-hashes", "--requirement", "requirements.txt"];
    await this.run("venv/bin/pip", ["install", ...options]);
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((group) => group.end("SIGTERM")));
  }
}
