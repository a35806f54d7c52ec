/** The text of a user agent as it is assessed, hashed and shown (pure). */

/** In characters (code points). Real browsers send a few hundred. */
const maxAgentLength = 1024;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches what is replaced.
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/g;
const replacement = "\ufffd";

export interface AgentText {
  /** At most 1,024 characters, without control characters and lone surrogates. */
  readonly text: string;
  /** The text that was sent is not what a browser sends. */
  readonly isMalformed: boolean;
}

/** Cuts the text and replaces what cannot be stored or shown: a client may send anything. */
export function cleanAgent(sent: string): AgentText {
  // A text never has more characters than code units, so most texts need not be split.
  const cut = sent.length <= maxAgentLength ? sent : [...sent].slice(0, maxAgentLength).join("");
  const text = cut.toWellFormed().replaceAll(controlCharacter, replacement);
  return { text, isMalformed: text !== sent };
}
