/** What `npm run check:docs` checks in docs/integrate.md: its samples are whole, and its table has every error. */

/** A complete sample, of which the guide shows every part in order. */
export interface Sample {
  readonly file: string;
  /** As the guide's code blocks name it. */
  readonly language: string;
  readonly text: string;
}

/** The lines with text. The blank lines between two blocks are in none of them. */
function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function findSampleProblems(guide: string, { file, language, text }: Sample): string[] {
  const blocks = [...guide.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(
    ([, name]) => name === language,
  );
  const shown = linesOf(blocks.map(([, , block = ""]) => block).join("\n"));
  const lines = linesOf(text);
  const length = Math.max(shown.length, lines.length);
  for (let index = 0; index < length; index += 1) {
    if (shown[index] === lines[index]) continue;
    const [inGuide, inFile] = [shown[index], lines[index]].map((line) => line ?? "nothing");
    return [`docs/integrate.md shows "${inGuide}" where ${file} has "${inFile}"`];
  }
  return [];
}

/** One sentence for each difference between the guide and its samples or the errors of the service. */
export function findGuideProblems(
  guide: string,
  samples: readonly Sample[],
  errors: readonly { readonly code: string; readonly status: number }[],
): string[] {
  const rows = [...guide.matchAll(/^\| `(\w+)` \| (\d{3}) \| /gm)].map(
    ([, code, status]) => `${code} ${status}`,
  );
  const expected = errors.map(({ code, status }) => `${code} ${status}`);
  return [
    ...samples.flatMap((sample) => findSampleProblems(guide, sample)),
    ...expected
      .filter((error) => !rows.includes(error))
      .map((error) => `docs/integrate.md does not say what ${error} asks of the caller`),
    ...rows
      .filter((row, index) => !expected.includes(row) || rows.indexOf(row) !== index)
      .map((row) => `docs/integrate.md has a row too many, or a wrong one: ${row}`),
  ];
}
