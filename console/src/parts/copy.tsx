import { useState } from "react";
import { texts } from "../texts/en.ts";

interface CopyProps {
  readonly text: string;
  /** What is copied, for a screen reader. */
  readonly what: string;
}

export function Copy({ text, what }: CopyProps) {
  const [isCopied, setCopied] = useState(false);
  // Only a page of https or of this machine may write to the clipboard. The reader can mark and copy elsewhere.
  if (!isSecureContext) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <button type="button" className="small" onClick={() => void copy()}>
      {isCopied ? texts.common.copied : texts.common.copy}
      <span className="hidden-label"> {what}</span>
    </button>
  );
}
