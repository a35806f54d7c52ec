/**
 * Decides whether the text of a list or table is one (pure). With an error page or an empty file in use, listed
 * addresses would wrongly count as harmless. The scheduled refresh and the import use the same rules.
 */
import type { LineCounts } from "../network/lines.ts";

/** A list may have a few bad lines; another kind of file has nothing else. */
const maxShareSkipped = 0.5;

/** A list was not accepted. Operators see the message, so it contains nothing of the list. */
export class FeedRefusal extends Error {}

/** @throws FeedRefusal if the text is empty, or is something else than a list */
export function validateList({ rows, skipped, hasMarkup }: LineCounts): void {
  if (hasMarkup) throw new FeedRefusal("a page of HTML or XML instead of a list");
  if (rows + skipped === 0) throw new FeedRefusal("no line has an entry");
  if (rows === 0) throw new FeedRefusal("no line could be read");
  if (skipped > (rows + skipped) * maxShareSkipped) {
    throw new FeedRefusal(`${skipped} of ${rows + skipped} lines could not be read`);
  }
}
