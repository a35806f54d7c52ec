/** The numbers behind a score: every step from the inputs, as the API answers it. */
import type { ExplainedAssessment, ExplanationStep } from "@edge-idp/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Column, DataTable } from "../../parts/data-table.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";

const words = texts.risk;

type Explanation = NonNullable<ExplainedAssessment["explanation"]>;
type Contribution = Explanation["contributions"][number];

function StepNumber({ step: { value, by_kind } }: { readonly step: ExplanationStep }) {
  if (value !== null) return <span>{value}</span>;
  return (
    <span className="number-list">
      {Object.entries(by_kind ?? {}).map(([kind, number]) => (
        <span key={kind}>
          {kind} {number}
        </span>
      ))}
    </span>
  );
}

const contributionColumns: readonly Column<Contribution>[] = [
  { id: "signal", header: words.reason, cell: ({ signal }) => <code>{signal}</code> },
  { id: "basis", header: words.basis, cell: ({ basis }) => wordsFor(words.bases, basis) },
  {
    id: "contribution",
    header: words.evidence,
    isNumber: true,
    cell: ({ contribution }) => contribution,
  },
];

const stepColumns: readonly Column<ExplanationStep>[] = [
  {
    id: "step",
    header: words.step,
    cell: ({ name, meaning }) => (
      <span>
        <code translate="no">{name}</code>
        <br />
        <span className="faint">{meaning}</span>
      </span>
    ),
  },
  {
    id: "origin",
    header: words.origin,
    cell: ({ formula, source }) =>
      formula === null ? wordsFor(words.sources, source) : <code translate="no">{formula}</code>,
  },
  {
    id: "number",
    header: words.number,
    isNumber: true,
    cell: (step) => <StepNumber step={step} />,
  },
];

function Numbers({ id }: { readonly id: string }) {
  const { id: sessionId, idp } = useSession();
  const { data, error, refetch } = useQuery({
    queryKey: [sessionId, "assessment", id],
    queryFn: () => idp.sentinel.assessment(id),
  });
  if (error !== null) return <Failure error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Loading />;
  if (data.explanation === null) return <p className="hint">{words.noNumbers(data.model)}</p>;
  const { contributions, steps } = data.explanation;
  return (
    <div className="stack">
      <DataTable
        caption={words.contributions}
        columns={contributionColumns}
        rows={contributions}
        rowId={({ signal }) => signal}
      />
      <p className="hint">{words.numbersHint}</p>
      <DataTable
        caption={words.steps}
        columns={stepColumns}
        rows={steps}
        rowId={({ name }) => name}
      />
    </div>
  );
}

/** They are loaded when somebody opens the part: few readers need them. */
export function ScoreNumbers({ id }: { readonly id: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{words.numbers}</summary>
      {isOpen ? <Numbers id={id} /> : null}
    </details>
  );
}
