import { IdpError, type Readiness } from "@edge-idp/sdk";
import { useQuery } from "@tanstack/react-query";
import { Badge } from "../../parts/badge.tsx";
import { Facts, PageHead, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { formatTime } from "../../parts/time.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.operator.health;
const refreshEveryMs = 10_000;

function Check({ isOk }: { readonly isOk: boolean }) {
  return <Badge tone={isOk ? "good" : "bad"}>{isOk ? words.ok : words.notOk}</Badge>;
}

function Warnings({ readiness: { warnings = [] } }: { readonly readiness: Readiness }) {
  if (warnings.length === 0) return <p className="faint">{words.noWarnings}</p>;
  return (
    <ul className="list">
      {warnings.map(({ shard, used_percent: percent }) => (
        <li key={shard} className="callout callout-warning">
          {words.nearlyFull(shard, percent)}
        </li>
      ))}
    </ul>
  );
}

/** What each part of the service said, of an answer that it is not ready. */
function FailedChecks({ error }: { readonly error: Error }) {
  const checks = error instanceof IdpError ? error.fields.checks : undefined;
  return (
    <>
      <Failure error={error} />
      {checks === undefined ? null : (
        <section className="stack">
          <h3>{words.checks}</h3>
          <pre>{JSON.stringify(checks, null, 2)}</pre>
        </section>
      )}
    </>
  );
}

export default function HealthPage() {
  const idp = useIdp();
  const live = useQuery({
    queryKey: ["operator", "live"],
    queryFn: async () => {
      await idp.health.live();
      return true;
    },
    refetchInterval: refreshEveryMs,
  });
  const ready = useQuery({
    queryKey: ["operator", "ready"],
    queryFn: () => idp.health.ready(),
    refetchInterval: refreshEveryMs,
  });
  return (
    <>
      <PageHead title={texts.pages.health} lead={words.lead} />
      {ready.isPending || live.isPending ? (
        <Loading />
      ) : (
        <Section title={texts.pages.health}>
          <div className="stack">
            <Facts
              facts={[
                [words.live, <Check key="l" isOk={live.error === null} />],
                [words.ready, <Check key="r" isOk={ready.error === null} />],
                [words.checked, formatTime(ready.dataUpdatedAt || ready.errorUpdatedAt)],
              ]}
            />
            {ready.error === null ? (
              <Warnings readiness={ready.data} />
            ) : (
              <FailedChecks error={ready.error} />
            )}
          </div>
        </Section>
      )}
    </>
  );
}
