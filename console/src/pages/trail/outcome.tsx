import { Badge, type Tone } from "../../parts/badge.tsx";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";

const tones: Readonly<Record<string, Tone>> = {
  success: "good",
  failure: "bad",
  refused: "warning",
};

export function Outcome({ outcome }: { readonly outcome: string }) {
  return <Badge tone={tones[outcome] ?? "plain"}>{wordsFor(texts.trail.outcomes, outcome)}</Badge>;
}
