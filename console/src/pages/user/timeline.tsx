import { hrefOf } from "../../navigation/fragment-location.ts";
import { Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { texts } from "../../texts/en.ts";
import { Outcome } from "../trail/outcome.tsx";
import { useUserQuery } from "./user-query.ts";

const words = texts.user.timeline;
const shownEvents = 20;

export function Timeline({ externalId }: { readonly externalId: string }) {
  const query = useUserQuery(externalId, "timeline", (idp) =>
    idp.audit.events({ externalUserId: externalId, limit: shownEvents }).page(),
  );
  const { data, error, isPending, refetch } = query;
  const events = data?.items ?? [];
  return (
    <Section
      title={words.title}
      actions={
        <a className="button small" href={hrefOf("/trail", { user: externalId })}>
          {words.all}
        </a>
      }
    >
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {data !== undefined && events.length === 0 ? <p className="faint">{words.empty}</p> : null}
      <ol className="list">
        {events.map((event) => (
          <li key={event.id}>
            <span className="row">
              <Outcome outcome={event.outcome} />
              <code>{event.action}</code>
              {event.reason === null ? null : <span className="faint">{event.reason}</span>}
            </span>
            <span className="faint">
              <Time at={event.at} />
            </span>
          </li>
        ))}
      </ol>
    </Section>
  );
}
