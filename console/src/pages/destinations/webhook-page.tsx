import type { DeliveryAttempt } from "@edge-idp/sdk";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useFilters } from "../../navigation/fragment-location.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Confirm } from "../../parts/confirm.tsx";
import { Name } from "../../parts/name.tsx";
import { Facts, PageHead, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import { IssuedToken } from "../tokens/issued-token.tsx";
import {
  Attempts,
  DestinationActions,
  DestinationStatus,
  describeLag,
} from "./destination-parts.tsx";

const words = texts.destinations;
const refreshEveryMs = 5_000;
/** How long both secrets sign: a day, as the question says. */
const overlap_seconds = 86_400;

export default function WebhookPage() {
  const { id: sessionId, idp } = useSession();
  const id = useFilters().get("id") ?? "";
  const client = useQueryClient();
  const [isRotating, setRotating] = useState(false);
  const [secret, setSecret] = useState<string>();
  const queryKey = [sessionId, "destinations", id];
  const { data, error, isPending, refetch } = useQuery({
    queryKey,
    queryFn: async () => ({
      webhook: await idp.webhooks.get(id),
      attempts: await idp.webhooks.attempts(id),
    }),
    refetchInterval: refreshEveryMs,
  });
  if (isPending) return <Loading />;
  if (error !== null) return <Failure error={error} onRetry={() => void refetch()} />;
  const { webhook, attempts } = data;
  const refresh = () => client.invalidateQueries({ queryKey });
  const replayButton = ({ event_id, leaf_index }: DeliveryAttempt) => (
    <ActButton
      className="small"
      act={() => idp.webhooks.replayEvent(id, event_id).then(refresh)}
      done={words.replayedOne}
    >
      {words.replay}
      <span className="hidden-label"> {leaf_index}</span>
    </ActButton>
  );
  return (
    <>
      <PageHead title={<Name whole>{webhook.url}</Name>} lead={webhook.description ?? ""}>
        <button type="button" onClick={() => setRotating(true)}>
          {words.rotate}
        </button>
        <DestinationActions
          destination={webhook}
          test={() => idp.webhooks.test(id)}
          setStatus={(status) => idp.webhooks.change(id, { status })}
          replay={(from) => idp.webhooks.replay(id, from)}
          remove={() => idp.webhooks.remove(id)}
          refresh={refresh}
        />
      </PageHead>
      <div className="stack">
        {webhook.disabled_reason === null ? null : (
          <p className="callout callout-bad">
            {wordsFor(words.disabledReasons, webhook.disabled_reason)}
          </p>
        )}
        <Section
          title={words.title.webhook}
          actions={<DestinationStatus status={webhook.status} />}
        >
          <Facts
            facts={[
              [words.events, webhook.events.join(", ")],
              [words.behind, describeLag(webhook)],
              [words.delivered, webhook.delivered.toLocaleString("en")],
              [words.failed, webhook.failed.toLocaleString("en")],
              [words.waiting, webhook.waiting.toLocaleString("en")],
              [words.givenUp, webhook.given_up.toLocaleString("en")],
              [words.cursor, webhook.cursor.toLocaleString("en")],
              [words.created, <Time key="c" at={webhook.created_at} />],
            ]}
          />
        </Section>
        <Attempts attempts={attempts} act={replayButton} />
      </div>
      {isRotating ? (
        <Confirm
          title={words.rotateTitle}
          hint={words.rotateHint}
          action={words.rotate}
          isHarmless
          act={async () =>
            setSecret((await idp.webhooks.rotateSecret(id, { overlap_seconds })).secret)
          }
          onClose={() => setRotating(false)}
        />
      ) : null}
      {secret === undefined ? null : (
        <IssuedToken
          title={words.secretTitle}
          hint={words.secret}
          secret={secret}
          onClose={() => setSecret(undefined)}
        />
      )}
    </>
  );
}
