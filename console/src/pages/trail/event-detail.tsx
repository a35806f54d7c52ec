import type { AuditEvent } from "@edge-idp/sdk";
import { useState } from "react";
import { Copy } from "../../parts/copy.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Name } from "../../parts/name.tsx";
import { Facts } from "../../parts/section.tsx";
import { Failure } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { Actor } from "./event-columns.tsx";
import { Outcome } from "./outcome.tsx";

const words = texts.trail;

interface EventDetailProps {
  readonly event: AuditEvent;
  readonly onClose: () => void;
}

interface ProofResult {
  readonly isProven: boolean;
  readonly sentence: string;
}

function ProofButton({ event }: { readonly event: AuditEvent }) {
  const idp = useIdp();
  const [result, setResult] = useState<ProofResult>();
  const [error, setError] = useState<unknown>();
  const prove = async () => {
    setResult(undefined);
    setError(undefined);
    try {
      // A new event is in the tree only after the next checkpoint.
      await idp.audit.checkpoint();
      const proof = await idp.audit.proof(event.id, { leaf_index: event.leaf_index });
      const { verifyInclusion } = await import("@edge-idp/sdk/audit");
      const { ok, problems, newest } = await verifyInclusion({ event, proof });
      setResult({
        isProven: ok,
        sentence: ok
          ? words.proven(newest?.head.size ?? 0)
          : (problems[0]?.message ?? words.notProven),
      });
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <div className="stack">
      <div>
        <button type="button" onClick={() => void prove()}>
          {words.proof}
        </button>
      </div>
      {result === undefined ? null : (
        <p
          role="status"
          className={result.isProven ? "callout callout-good" : "callout callout-bad"}
        >
          {result.sentence}
        </p>
      )}
      {error === undefined ? null : <Failure error={error} />}
    </div>
  );
}

export function EventDetail({ event, onClose }: EventDetailProps) {
  const { at, outcome, reason, target, leaf_index, request_id, personal, erased, expired } = event;
  const json = JSON.stringify(event, null, 2);
  const optional = (name: string, value: string | null | undefined) =>
    value === null || value === undefined
      ? []
      : [
          [
            name,
            <Name key="n" whole>
              {value}
            </Name>,
          ] as const,
        ];
  return (
    <Dialog title={event.action} onClose={onClose} isWide>
      <Facts
        facts={[
          [words.at, <Time key="t" at={at} />],
          [words.outcome, <Outcome key="o" outcome={outcome} />],
          ...optional(words.reason, reason),
          ...optional(words.subject, target.external_id),
          [words.actor, <Actor key="a" event={event} />],
          ...optional(words.address, personal?.address),
          ...optional(texts.risk.client, personal?.agent),
          [words.leaf, leaf_index.toLocaleString("en")],
          ...optional(texts.common.requestId(""), request_id),
        ]}
      />
      {erased ? <p className="callout">{words.erased}</p> : null}
      {expired ? <p className="callout">{words.expired}</p> : null}
      <ProofButton event={event} />
      <section className="stack">
        <div className="row">
          <h3>{words.json}</h3>
          <Copy text={json} what={words.json} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it. */}
        <pre className="json" tabIndex={0}>
          {json}
        </pre>
      </section>
    </Dialog>
  );
}
