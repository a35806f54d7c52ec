import type { Stream, Webhook } from "@edge-idp/sdk";
import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { hrefOf } from "../../navigation/fragment-location.ts";
import { type Column, DataTable } from "../../parts/data-table.tsx";
import { Name } from "../../parts/name.tsx";
import { PageHead, Section } from "../../parts/section.tsx";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import { IssuedToken } from "../tokens/issued-token.tsx";
import { CreateStream } from "./create-stream.tsx";
import { CreateWebhook } from "./create-webhook.tsx";
import {
  type Destination,
  DestinationStatus,
  describeLag,
  targetOf,
} from "./destination-parts.tsx";

const words = texts.destinations;
const refreshEveryMs = 5_000;

function createSharedColumns<One extends Destination>(): readonly Column<One>[] {
  return [
    {
      id: "status",
      header: words.status,
      cell: ({ status }) => <DestinationStatus status={status} />,
    },
    { id: "behind", header: words.behind, cell: describeLag },
    {
      id: "delivered",
      header: words.delivered,
      isNumber: true,
      cell: ({ delivered }) => delivered.toLocaleString("en"),
    },
    {
      id: "failed",
      header: words.failed,
      isNumber: true,
      cell: ({ failed }) => failed.toLocaleString("en"),
    },
  ];
}

const webhookColumns: readonly Column<Webhook>[] = [
  {
    id: "url",
    header: words.target,
    cell: ({ id, url }) => (
      <a href={hrefOf("/webhook", { id })}>
        <Name>{url}</Name>
      </a>
    ),
  },
  {
    id: "events",
    header: words.events,
    cell: ({ events }) => <Name>{events.join(", ")}</Name>,
  },
  ...createSharedColumns<Webhook>(),
];

const streamColumns: readonly Column<Stream>[] = [
  {
    id: "target",
    header: words.target,
    cell: (stream) => (
      <a href={hrefOf("/stream", { id: stream.id })}>
        <Name>{targetOf(stream)}</Name>
      </a>
    ),
  },
  { id: "type", header: words.type, cell: ({ type }) => wordsFor(words.types, type) },
  ...createSharedColumns<Stream>(),
];

interface ListProps<One extends Destination> {
  readonly title: string;
  readonly lead: string;
  readonly query: UseQueryResult<readonly One[]>;
  readonly columns: readonly Column<One>[];
  readonly empty: string;
  readonly action: ReactNode;
}

function DestinationList<One extends Destination>(props: ListProps<One>) {
  const { title, lead, query, columns, empty, action } = props;
  const { data, error, isPending, refetch } = query;
  return (
    <Section title={title} actions={action}>
      <div className="stack">
        <p className="hint">{lead}</p>
        {isPending ? <Loading /> : null}
        {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
        {data === undefined ? null : data.length === 0 ? (
          <Empty title={empty} />
        ) : (
          <DataTable caption={title} columns={columns} rows={data} rowId={({ id }) => id} />
        )}
      </div>
    </Section>
  );
}

export default function DestinationsPage() {
  const { id, idp } = useSession();
  const client = useQueryClient();
  const [creating, setCreating] = useState<"webhook" | "stream">();
  const [secret, setSecret] = useState<string>();
  const webhooks = useQuery({
    queryKey: [id, "destinations", "webhooks"],
    queryFn: () => idp.webhooks.list(),
    refetchInterval: refreshEveryMs,
  });
  const streams = useQuery({
    queryKey: [id, "destinations", "streams"],
    queryFn: () => idp.streams.list(),
    refetchInterval: refreshEveryMs,
  });
  const refresh = () => client.invalidateQueries({ queryKey: [id, "destinations"] });
  const close = () => setCreating(undefined);
  return (
    <>
      <PageHead title={texts.pages.destinations} lead={words.lead} />
      <div className="stack">
        <DestinationList
          title={words.webhooks}
          lead={words.webhooksLead}
          query={webhooks}
          columns={webhookColumns}
          empty={words.noWebhooks}
          action={
            <button type="button" onClick={() => setCreating("webhook")}>
              {words.createWebhook}
            </button>
          }
        />
        <DestinationList
          title={words.streams}
          lead={words.streamsLead}
          query={streams}
          columns={streamColumns}
          empty={words.noStreams}
          action={
            <button type="button" onClick={() => setCreating("stream")}>
              {words.createStream}
            </button>
          }
        />
      </div>
      {creating === "webhook" ? (
        <CreateWebhook
          onCreated={async (webhook) => {
            setSecret(webhook.secret);
            await refresh();
          }}
          onClose={close}
        />
      ) : null}
      {creating === "stream" ? <CreateStream onCreated={refresh} onClose={close} /> : null}
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
