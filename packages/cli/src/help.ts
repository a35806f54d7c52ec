/** The help of commands: each has examples, and `edge-idp help` takes the words of a command at any depth. */
import type { Command } from "commander";

interface Example {
  /** Without the name of the program. */
  readonly line: string;
  readonly what: string;
}

/** Adds examples to the end of the command's help. */
export function addExamples(command: Command, examples: readonly Example[]): Command {
  const lines = examples.flatMap(({ line, what }) => [`  # ${what}`, `  edge-idp ${line}`]);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Replaces commander's own help command, which knows only the first word of a command. */
export function addHelpCommand(program: Command): void {
  program.helpCommand(false);
  const help = program
    .command("help")
    .summary("show the help of a command")
    .description("Shows all commands, or the help of one command or group.")
    .argument("[words...]", "the words of a command, such as audit verify")
    .action(async (words: readonly string[]) => {
      await program.parseAsync([...words, "--help"], { from: "user" });
    });
  addExamples(help, [{ line: "help audit verify", what: "the arguments of one command" }]);
}
