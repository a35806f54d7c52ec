/** The help of commands: each has examples, and `edge-idp help` takes the words of a command at any depth. */
import type { Command } from "commander";

interface Example {
  /** Without the name of the program. */
  readonly line: string;
  readonly what: string;
}

/** Adds examples to the end of the command's help. */
export function addExamples(command: Command, examples: readonly Example[]): Command {
  const lines = examples.flatMap(({ line, what }) => [`  # ${what}`, `  npx edge-idp ${line}`]);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Adds the help command, in place of commander's own ones, which know only the next word. */
export function addHelpCommand(program: Command): void {
  const help = program
    .command("help")
    .summary("show the help of a command")
    .description("Shows all commands, or the help of one command or group.")
    .argument("[words...]", "the words of a command, such as audit verify")
    .action(async (words: readonly string[]) => await showHelp(program, words));
  addExamples(help, [{ line: "help audit verify", what: "the arguments of one command" }]);
  for (const command of listCommands(program)) command.helpCommand(false);
}

/** All commands and groups, the program first. */
export function listCommands(program: Command): Command[] {
  return [program, ...program.commands.flatMap(listCommands)];
}

async function showHelp(program: Command, words: readonly string[]): Promise<void> {
  let shown = program;
  for (const [index, word] of words.entries()) {
    const next = shown.commands.find(
      (command) => command.name() === word || command.aliases().includes(word),
    );
    if (next === undefined && shown.commands.length > 0) {
      // Commander reports the unknown command, and suggests the nearest one.
      await program.parseAsync(words.slice(0, index + 1), { from: "user" });
    }
    shown = next ?? shown;
  }
  shown.help();
}
