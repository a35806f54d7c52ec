/** Text for a terminal (pure). */

const formatting = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Escapes what would control the terminal, or change the order of the text, because tenants choose names and ids. */
export function toPrintable(text: string): string {
  return text.replaceAll(formatting, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/** Lines with aligned columns. @param rows of the same length; the first is the heading */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const printable = rows.map((row) => row.map(toPrintable));
  const widths = (printable[0] ?? []).map((_, column) =>
    Math.max(...printable.map((row) => [...(row[column] ?? "")].length)),
  );
  const pad = (text: string, width: number) =>
    text + " ".repeat(Math.max(0, width - [...text].length));
  return printable
    .map((row) => `${row.map((cell, column) => pad(cell, widths[column] ?? 0)).join("  ")}`)
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

/** One line for each field, with aligned values. */
export function formatFields(fields: Readonly<Record<string, string>>): string {
  return formatTable(Object.entries(fields));
}
