/** Reads a section of the README as a list of things to do: commands, and the answer shown. */

export interface Step {
  readonly kind: "step";
  readonly title: string;
  readonly commands: string;
  /** The answer the README shows; undefined where it shows none. */
  readonly answer: string | undefined;
}

export type Item = Step | { readonly kind: "restart" };

const restartMarker = "<!-- e2e: restart -->";

/** The lines of a second-level section, without its heading. */
function linesOf(text: string, heading: string): string[] {
  const lines = text.split("\n");
  const start = lines.indexOf(`## ${heading}`);
  if (start === -1) throw new Error(`The README has no section "${heading}"`);
  const end = lines.findIndex((line, index) => index > start && line.startsWith("## "));
  return lines.slice(start + 1, end === -1 ? undefined : end);
}

/** Each `sh` block is a step, and the `json` or `text` block that follows is its answer. */
export function itemsOf(text: string, heading: string): Item[] {
  const items: Item[] = [];
  const seen = new Map<string, number>();
  let title = heading;
  let block: { language: string; lines: string[] } | undefined;
  for (const line of linesOf(text, heading)) {
    if (block === undefined) {
      if (line.startsWith("### ")) title = line.slice(4);
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
    } else {
      const step = items.at(-1);
      if (step?.kind !== "step" || step.answer !== undefined) {
        throw new Error(`The README shows an answer without a command under "${title}"`);
      }
      items[items.length - 1] = { ...step, answer: content };
    }
    block = undefined;
  }
  if (block !== undefined) throw new Error(`A code block under "${title}" has no end`);
  return items;
}
