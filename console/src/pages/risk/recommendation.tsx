import { Badge, type Tone } from "../../parts/badge.tsx";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";

const tones: Readonly<Record<string, Tone>> = {
  allow: "good",
  challenge: "warning",
  deny: "bad",
  legitimate: "good",
  fraud: "bad",
};

export function Recommendation({ value }: { readonly value: string }) {
  return (
    <Badge tone={tones[value] ?? "plain"}>{wordsFor(texts.risk.recommendations, value)}</Badge>
  );
}

/** @param value null as long as there is no verdict */
export function Verdict({ value }: { readonly value: string | null }) {
  if (value === null) return <span className="faint">{texts.risk.outcomes.none}</span>;
  return <Badge tone={tones[value] ?? "plain"}>{wordsFor(texts.risk.outcomes, value)}</Badge>;
}
