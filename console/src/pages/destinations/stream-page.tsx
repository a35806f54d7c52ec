import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useFilters } from "../../navigation/fragment-location.ts";
import { Name } from "../../parts/name.tsx";
import { Facts, PageHead, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import {
  Attempts,
  DestinationActions,
  DestinationStatus,
  describeLag,
  targetOf,
} from "./destination-parts.tsx";

const words = texts.destinations;
const refreshEveryMs = 5_000;

export default function StreamPage() {
  const { id: sessionId, idp } = useSession();
  const id = useFilters().get("id") ?? "";
  const client = useQueryClient();
  const queryKey = [sessionId, "destinations", id];
  const { data, error, isPending, refetch } = useQuery({
    queryKey,
    queryFn: async () => ({
      stream: await idp.streams.get(id),
      attempts: await idp.streams.attempts(id),
    }),
    refetchInterval: refreshEveryMs,
  });
  if (isPending) return <Loading />;
  if (error !== null) return <Failure error={error} onRetry={() => void refetch()} />;
  const { stream, attempts } = data;
  return (
    <>
      <PageHead title={<Name whole>{targetOf(stream)}</Name>}>
        <DestinationActions
          destination={stream}
          test={() => idp.streams.test(id)}
          setStatus={(status) => idp.streams.change(id, { status })}
          replay={(from) => idp.streams.replay(id, from)}
          remove={() => idp.streams.remove(id)}
          refresh={() => client.invalidateQueries({ queryKey })}
        />
      </PageHead>
      <div className="stack">
        <Section title={words.title.stream} actions={<DestinationStatus status={stream.status} />}>
          <Facts
            facts={[
              [words.type, wordsFor(words.types, stream.type)],
              [words.format, wordsFor(words.formats, stream.format)],
              [words.behind, describeLag(stream)],
              [words.delivered, stream.delivered.toLocaleString("en")],
              [words.failed, stream.failed.toLocaleString("en")],
              [words.cursor, stream.cursor.toLocaleString("en")],
              [words.created, <Time key="c" at={stream.created_at} />],
            ]}
          />
        </Section>
        <Attempts attempts={attempts} />
      </div>
    </>
  );
}
