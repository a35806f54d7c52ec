import type { AuditEvent } from "@edge-idp/sdk";
import { hrefOf } from "../../navigation/fragment-location.ts";
import type { Column } from "../../parts/data-table.tsx";
import { Name } from "../../parts/name.tsx";
import { Time } from "../../parts/time.tsx";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import { Outcome } from "./outcome.tsx";

const words = texts.trail;

function Subject({ event: { target, erased } }: { readonly event: AuditEvent }) {
  const { external_id: externalId, type, id } = target;
  if (externalId !== null) {
    return (
      <a href={hrefOf("/user", { id: externalId })}>
        <Name>{externalId}</Name>
      </a>
    );
  }
  return (
    <span className="faint">
      {erased ? texts.risk.erasedUser : type} <code>{id.slice(0, 8)}…</code>
    </span>
  );
}

export function Actor({ event: { actor } }: { readonly event: AuditEvent }) {
  const own = actor.name ?? wordsFor(words.actors, actor.type);
  return (
    <span>
      <Name>{own}</Name>
      {actor.acting_for === null ? null : (
        <span className="faint">
          {" · "}
          <Name>{actor.acting_for}</Name>
        </span>
      )}
    </span>
  );
}

export function createEventColumns(
  open: (event: AuditEvent) => void,
): readonly Column<AuditEvent>[] {
  return [
    { id: "at", header: words.at, cell: ({ at }) => <Time at={at} /> },
    { id: "action", header: words.action, cell: ({ action }) => <code>{action}</code> },
    {
      id: "outcome",
      header: words.outcome,
      cell: ({ outcome, reason }) => (
        <span className="badges">
          <Outcome outcome={outcome} />
          {reason === null ? null : <span className="faint">{reason}</span>}
        </span>
      ),
    },
    { id: "subject", header: words.subject, cell: (event) => <Subject event={event} /> },
    { id: "actor", header: words.actor, cell: (event) => <Actor event={event} /> },
    {
      id: "open",
      header: texts.common.columnActions,
      cell: (event) => (
        <button type="button" className="small" onClick={() => open(event)}>
          {texts.common.show}
          <span className="hidden-label"> {event.action}</span>
        </button>
      ),
    },
  ];
}
