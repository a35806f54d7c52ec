/** Reads a Markdown document as a list of steps: commands, and the answer that the document shows. */

export interface Step {
  readonly kind: "step";
  readonly title: string;
  readonly commands: string;
  /** Undefined where the document shows no answer. */
  readonly answer: string | undefined;
}

export type Item = Step | { readonly kind: "restart" };

const restartMarker = "<!-- e2e: restart -->";

/** The lines of a second-level section, without its heading. */
function linesOfSection(lines: readonly string[], heading: string): readonly string[] {
  const start = lines.indexOf(`## ${heading}`);
  if (start === -1) throw new Error(`The document has no section "${heading}"`);
  const end = lines.findIndex((line, index) => index > start && line.startsWith("## "));
  return lines.slice(start + 1, end === -1 ? undefined : end);
}

/**
 * Each `sh` block is a step, and the `json` or `text` block that follows is its answer. Blocks in other
 * languages are skipped.
 * @param section only the second-level section with this heading; without it the whole document
 */
export function readItems(text: string, section?: string): Item[] {
  const allLines = text.split("\n");
  const lines = section === undefined ? allLines : linesOfSection(allLines, section);
  const items: Item[] = [];
  const seen = new Map<string, number>();
  let title = section ?? "Start";
  let block: { language: string; lines: string[] } | undefined;
  for (const line of lines) {
    if (block === undefined) {
      const [, heading] = /^#{2,3} (.*)/.exec(line) ?? [];
      if (heading !== undefined) title = heading;
      else if (line === restartMarker) items.push({ kind: "restart" });
      else if (line.startsWith("```")) block = { language: line.slice(3), lines: [] };
      continue;
    }
    if (line !== "```") {
      block.lines.push(line);
      continue;
    }
    const content = block.lines.join("\n");
    if (block.language === "sh") {
      const count = (seen.get(title) ?? 0) + 1;
      seen.set(title, count);
      const name = count === 1 ? title : `${title} (${count})`;
      items.push({ kind: "step", title: name, commands: content, answer: undefined });
    } else if (block.language === "json" || block.language === "text") {
      const step = items.at(-1);
      if (step?.kind !== "step" || step.answer !== undefined) {
        throw new Error(`The document shows an answer without a command under "${title}"`);
      }
      items[items.length - 1] = { ...step, answer: content };
    }
    block = undefined;
  }
  if (block !== undefined) throw new Error(`A code block under "${title}" has no end`);
  return items;
}
