/** The words for a value, or the value itself if a later service has added it. */
export function wordsFor(words: Readonly<Record<string, string>>, value: string): string {
  return Object.hasOwn(words, value) ? (words[value] ?? value) : value;
}
